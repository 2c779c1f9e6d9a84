//! The registry as a server: the state behind one lock, its sweep, and the notification of watchers.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::ComponentName;
use fault::active::RegistryAnswer;
use policy::lease::SWEEP_INTERVAL_NS;
use runtime::{ShutdownPolicy, Tasks, clock, scope};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::instance::{EventId, RegistryEpoch, Snapshot, WatchFilter};
use crate::registry_state::{CatchUp, Command, CommandError, Event, RegistryState, Rules};

/// Options of a registry.
#[derive(Clone, Debug)]
pub struct Options {
    /// Token that mutating calls must carry in `x-cleave-token`.
    pub token: Arc<str>,
    /// Rules of leases and self-preservation.
    pub rules: Rules,
    /// Interval of the search for lapsed leases.
    pub sweep_interval: Duration,
    /// Interval of heartbeats on an idle watch.
    pub heartbeat_interval: Duration,
}

impl Options {
    /// Defaults: leases of 3 s, a sweep every 100 ms, a heartbeat every second.
    pub fn new(token: Arc<str>) -> Self {
        Self {
            token,
            rules: Rules::default(),
            sweep_interval: Duration::from_nanos(SWEEP_INTERVAL_NS),
            heartbeat_interval: Duration::from_secs(1),
        }
    }
}

/// The registry: cheap to clone, hosted in any process.
#[derive(Clone)]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    store: Mutex<RegistryState>,
    changed: watch::Sender<EventId>,
    closed: watch::Sender<bool>,
    /// The injected fault, if any.
    injected: watch::Sender<Option<RegistryFault>>,
}

/// An injected fault, and the snapshot from when it began.
#[derive(Clone, Debug)]
pub(crate) struct RegistryFault {
    pub mode: RegistryAnswer,
    known_before: Snapshot,
}

impl Registry {
    /// An empty registry; its epoch is the current time, so that watchers detect the restart.
    pub fn new(options: Options) -> Self {
        let epoch = RegistryEpoch(u64::try_from(clock::wall_us()).unwrap_or_default());
        let store = RegistryState::new(epoch, options.rules);
        let (changed, _) = watch::channel(store.at());
        let (closed, _) = watch::channel(false);
        let (injected, _) = watch::channel(None);
        Self { shared: Arc::new(Shared { options, store: Mutex::new(store), changed, closed, injected }) }
    }

    /// Starts the sweep. When the tasks close, the sweep ends, and the watches with it.
    pub fn start(&self, tasks: &Tasks) {
        let shared = self.shared.clone();
        let closing = tasks.closing();
        let sweep = async move {
            let mut tick = tokio::time::interval(shared.options.sweep_interval);
            // After a pause one sweep is enough; the state detects the gap.
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            tokio::pin!(closing);
            loop {
                tokio::select! {
                    () = &mut closing => break,
                    _ = tick.tick() => {
                        shared.apply(Command::Sweep).expect("a sweep is never refused");
                    }
                }
            }
            shared.closed.send_replace(true);
        };
        // Finish, not ShutDown: its last statement ends the watches.
        scope::enter(ComponentName::REGISTRY, || tasks.spawn("registry.sweep", ShutdownPolicy::Drain, sweep));
    }

    /// Ends all watches. Call it before draining a server that hosts this registry: a watch never ends
    /// by itself, and the drain would wait for it.
    pub fn close(&self) {
        self.shared.closed.send_replace(true);
    }

    /// Injects a fault into responses, or ends it. Watchers get a new snapshot.
    pub fn set_fault(&self, mode: Option<RegistryAnswer>) {
        let injected = &self.shared.injected;
        if injected.borrow().as_ref().map(|fault| fault.mode) != mode {
            let known_before = self.shared.snapshot(&WatchFilter::All);
            injected.send_replace(mode.map(|mode| RegistryFault { mode, known_before }));
        }
    }

    /// The current snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot(&WatchFilter::All)
    }
}

impl Shared {
    /// Applies a command at the current time, logs its events and notifies the watchers.
    pub(crate) fn apply(&self, cmd: Command) -> Result<EventId, CommandError> {
        let (events, at) = {
            let mut store = self.store();
            let events = store.apply(cmd, clock::now_ns())?;
            (events, store.at())
        };
        for event in &events {
            match event {
                Event::Changed(delta) => tracing::debug!(rev = delta.rev.0, ?delta, "registry changed"),
                Event::Evicted(key) => tracing::warn!(instance = %key, "lease lapsed; instance removed"),
                Event::Preserving(suspects) => {
                    tracing::warn!(suspects, "too many leases lapsed at once; kept as suspects");
                }
                Event::Recovered => tracing::info!("no suspects left"),
                Event::SweepStalled { stall_ns } => {
                    tracing::warn!(
                        gap_ms = stall_ns / 1_000_000,
                        "the registry was stalled; all leases are extended"
                    );
                }
            }
        }
        if self.changed.borrow().rev < at.rev {
            self.changed.send_if_modified(|seen| {
                let newer = seen.rev < at.rev;
                *seen = if newer { at } else { *seen };
                newer
            });
        }
        Ok(at)
    }

    pub(crate) fn snapshot(&self, watched: &WatchFilter) -> Snapshot {
        self.store().snapshot(watched)
    }

    /// The changes a watcher has not seen, and its position after them.
    pub(crate) fn since(&self, seen: Option<EventId>, watched: &WatchFilter) -> (CatchUp, EventId) {
        let store = self.store();
        (store.since(seen, watched), store.at())
    }

    pub(crate) fn injected(&self) -> watch::Receiver<Option<RegistryFault>> {
        self.injected.subscribe()
    }

    /// The false snapshot of an injected fault; `None` if there is none.
    pub(crate) fn falsified_snapshot(&self, watched: &WatchFilter) -> Option<Snapshot> {
        let injected = self.injected.borrow();
        let RegistryFault { mode, known_before } = injected.as_ref()?;
        let mut snapshot = self.store().snapshot(watched);
        match mode {
            RegistryAnswer::Error | RegistryAnswer::Slow(_) => return None,
            RegistryAnswer::Empty => snapshot.instances.clear(),
            RegistryAnswer::Stale => {
                snapshot.instances =
                    known_before.instances.iter().filter(|i| watched.includes(&i.service)).cloned().collect();
            }
            // The discard port, where no process listens.
            RegistryAnswer::Wrong => {
                snapshot.instances.iter_mut().for_each(|instance| instance.addr.set_port(9))
            }
        }
        Some(snapshot)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<EventId> {
        self.changed.subscribe()
    }

    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    fn store(&self) -> MutexGuard<'_, RegistryState> {
        self.store.lock().expect("the store does not panic")
    }
}
