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

/// Leases that lapse are noticed this late at the latest; those that come or are ended, at once.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What the faults of a process act on.
pub(crate) struct FaultActuator {
    pub faults: Arc<LeaseTable>,
    pub db: Option<Database>,
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
            loop {
                let now_ns = clock::now_ns();
                self.faults.sweep(now_ns);
                let active = self.faults.active_faults(now_ns);
                self.apply(&mut held, active).await;
                if self.faults.is_empty() {
                    changed.notified().await;
                } else {
                    // Ramps grow, leases lapse: looked at again either way.
                    let _ = tokio::time::timeout(POLL_INTERVAL, changed.notified()).await;
                }
            }
        });
    }

    async fn apply(&self, held: &mut HeldResources, active: ActiveFaults) {
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
            if let Some(db) = &self.db {
                db.faults().set(StorageFaults {
                    slow: active.disk.slow,
                    full: active.disk.full,
                    broken: active.disk.broken,
                    delivery_stopped: active.delivery_stopped,
                    poisoned: active.poisoned.clone(),
                    dead_letters: active.dead_letters,
                    reordered: active.reordered.clone(),
                });
            }
            held.previous = active;
        }
        let Some(db) = &self.db else { return };
        match (held.previous.db_locked, held.lock.is_some()) {
            // Taking the lock waits for its holder: tried again at the next poll.
            (true, false) => {
                held.lock = tokio::time::timeout(POLL_INTERVAL, db.write()).await.ok().and_then(Result::ok)
            }
            (false, true) => held.lock = None,
            _ => {}
        }
        let keep = held.previous.readers.map_or(0, |limit| db.readers().saturating_sub(limit)) as usize;
        held.readers.truncate(keep);
        while held.readers.len() < keep {
            match tokio::time::timeout(POLL_INTERVAL, db.read()).await {
                Ok(Ok(read)) => held.readers.push(read),
                // All are in use just now.
                _ => break,
            }
        }
    }

    /// Counts the hits since the last poll for the leases of their kinds.
    fn count_hits(&self) {
        for (kind, times) in self.db.iter().flat_map(|db| db.faults().take_hits()) {
            self.faults.count_hits(kind, times);
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
