//! Applies the active faults of a process, computed from the leases in force.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use discovery::{Registrar, Registry};
use fault::{ActiveFaults, LeaseTable};
use runtime::{ShutdownPolicy, Tasks, clock};
use storage::{Database, StorageFaults};
use tokio::sync::Notify;
use transport::Clusters;

use crate::stores::Store;

/// Leases that lapse are noticed this late at the latest; those that come or are ended, at once.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What the faults of a process act on.
pub(crate) struct FaultActuator {
    pub faults: Arc<LeaseTable>,
    pub stores: Vec<Store>,
    pub clusters: Clusters,
    /// What `/readyz` answers.
    pub ready: Arc<AtomicBool>,
    /// The announcement of this process.
    pub registrar: Option<Registrar>,
    /// The registry, where it lives here.
    pub registry: Option<Registry>,
}

/// What is held while a fault lasts.
#[derive(Default)]
struct HeldResources {
    burners: Arc<AtomicU32>,
    burning: u32,
    previous: ActiveFaults,
    /// By database.
    databases: Vec<HeldConnections>,
}

/// What is held of one database.
#[derive(Default)]
struct HeldConnections {
    lock: Option<storage::Tx>,
    readers: Vec<storage::ReadConnection>,
    previous: ActiveFaults,
}

impl FaultActuator {
    /// Applies them until the process ends.
    pub fn start(self, tasks: &Tasks) {
        let changed = Arc::new(Notify::new());
        let notify = changed.clone();
        self.faults.on_change(move || notify.notify_one());
        tasks.spawn("fault.actuator", ShutdownPolicy::Cancel, async move {
            let mut held = HeldResources::default();
            held.databases.resize_with(self.stores.len(), HeldConnections::default);
            loop {
                let now_ns = clock::now_ns();
                self.faults.sweep(now_ns);
                self.apply(&mut held, self.faults.active_faults(now_ns));
                for (store, held) in self.stores.iter().zip(&mut held.databases) {
                    let is_here = |component| store.has(component);
                    held.apply(&store.db, self.faults.active_faults_of(now_ns, is_here)).await;
                }
                if self.faults.is_empty() {
                    changed.notified().await;
                } else {
                    // Ramps grow, leases lapse: looked at again either way.
                    let _ = tokio::time::timeout(POLL_INTERVAL, changed.notified()).await;
                }
            }
        });
    }

    fn apply(&self, held: &mut HeldResources, active: ActiveFaults) {
        set_burners(held, active.burners);
        self.count_hits();
        if active != held.previous {
            clock::shift_wall(active.clock_ms);
            self.ready.store(!active.not_ready, Ordering::Release);
            if active.not_ready != held.previous.not_ready
                && let Some(registrar) = &self.registrar
            {
                registrar.set_ready(!active.not_ready);
            }
            if let Some(registry) = &self.registry {
                registry.set_fault(active.registry);
            }
            self.clusters.set_detours(active.detours.clone());
            held.previous = active;
        }
    }

    /// Counts the hits since the last poll for the leases of their kinds.
    fn count_hits(&self) {
        for (kind, times) in self.stores.iter().flat_map(|store| store.db.faults().take_hits()) {
            self.faults.count_hits(kind, times);
        }
    }
}

impl HeldConnections {
    /// Applies the faults that act on one database.
    async fn apply(&mut self, db: &Database, active: ActiveFaults) {
        if active != self.previous {
            db.faults().set(StorageFaults {
                slow: active.disk.slow,
                full: active.disk.full,
                broken: active.disk.broken,
                delivery_stopped: active.delivery_stopped,
                poisoned: active.poisoned.clone(),
                dead_letters: active.dead_letters,
                reordered: active.reordered.clone(),
            });
            self.previous = active;
        }
        match (self.previous.db_locked, self.lock.is_some()) {
            // Taking the lock waits for its holder: tried again at the next poll.
            (true, false) => {
                self.lock = tokio::time::timeout(POLL_INTERVAL, db.write()).await.ok().and_then(Result::ok)
            }
            (false, true) => self.lock = None,
            _ => {}
        }
        let keep = self.previous.readers.map_or(0, |limit| db.readers().saturating_sub(limit)) as usize;
        self.readers.truncate(keep);
        while self.readers.len() < keep {
            match tokio::time::timeout(POLL_INTERVAL, db.read()).await {
                Ok(Ok(read)) => self.readers.push(read),
                // All are in use just now.
                _ => break,
            }
        }
    }
}

/// Threads that compete with everything else this process does.
fn set_burners(held: &mut HeldResources, wanted: u32) {
    held.burners.store(wanted, Ordering::Relaxed);
    while held.burning < wanted {
        let (limit, number) = (held.burners.clone(), held.burning);
        let thread = std::thread::Builder::new().name("burner".into()).stack_size(64 * 1024);
        let burning = thread.spawn(move || {
            let mut sum = 0_u64;
            while number < limit.load(Ordering::Relaxed) {
                for _ in 0..10_000 {
                    sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
                }
            }
        });
        if burning.is_err() {
            return;
        }
        held.burning += 1;
    }
    // Those above the limit have seen it and ended.
    held.burning = held.burning.min(wanted);
}
