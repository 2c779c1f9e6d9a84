//! The registry as a server: the state behind one lock, its sweep, its log, and the notification of watchers.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::ComponentName;
use fault::active::RegistryAnswer;
use policy::lease::SWEEP_INTERVAL_NS;
use runtime::{ShutdownPolicy, Tasks, clock, scope};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, sleep};

use crate::instance::{EventId, RegistryEpoch, Revision, Snapshot, WatchFilter};
use crate::registry_log::{self, LogError, LogOptions, Recovered, RegistryLog};
use crate::registry_state::{CatchUp, Command, CommandError, Event, RegistryState, Rules};

/// Pause before a log that could not be written is tried again: a full disk stays full for a while.
const LOG_RETRY_INTERVAL: Duration = Duration::from_secs(1);

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
    /// Where it keeps what is registered, for its next start; `None`, and it begins empty.
    pub log: Option<LogOptions>,
}

impl Options {
    /// Defaults: leases of 3 s, a sweep every 100 ms, a heartbeat every second, no log.
    pub fn new(token: Arc<str>) -> Self {
        Self {
            token,
            rules: Rules::default(),
            sweep_interval: Duration::from_nanos(SWEEP_INTERVAL_NS),
            heartbeat_interval: Duration::from_secs(1),
            log: None,
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
    /// The log, until [`Registry::start`] takes it.
    log: Mutex<Option<RegistryLog>>,
    /// When the watchers of an earlier process have had time to come back; not later than its start where there was none.
    rejoined_ns: u64,
}

/// An injected fault, and the snapshot from when it began.
#[derive(Clone, Debug)]
pub(crate) struct RegistryFault {
    pub mode: RegistryAnswer,
    known_before: Snapshot,
}

impl Registry {
    /// A registry with what its log holds, or an empty one. Its epoch is the time of its start, so that watchers detect a
    /// restart; it is later than that of its log also where the wall clock was set back.
    ///
    /// # Errors
    /// If the log cannot be read or written, or is another file.
    pub fn open(options: Options) -> Result<Self, LogError> {
        let log = options.log.clone();
        let recovered =
            log.as_ref().map(|log| registry_log::read(&log.path)).transpose()?.unwrap_or_default();
        report(&recovered);
        let started = u64::try_from(clock::wall_us()).unwrap_or_default();
        // A log with the last epoch that there is is refused above.
        let epoch = recovered.registry.map_or(started, |before| started.max(before.0 + 1));
        // Without a log it does not know of an earlier process, and takes it that there was one.
        let may_have_watchers = log.is_none() || recovered.registry.is_some();
        let now_ns = clock::now_ns();
        let rejoined_ns = now_ns + if may_have_watchers { options.rules.rejoin_ns } else { 0 };
        let mut store = RegistryState::new(RegistryEpoch(epoch), options.rules);
        store.restore(recovered.instances, now_ns);
        let log = log.map(|log| RegistryLog::create(log, store.registered())).transpose()?;
        let shared = Shared {
            changed: watch::Sender::new(store.at()),
            closed: watch::Sender::new(false),
            injected: watch::Sender::new(None),
            options,
            store: Mutex::new(store),
            log: Mutex::new(log),
            rejoined_ns,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Starts the sweep and the log's task. When the tasks close, the sweep ends, the watches with it, and the log has every
    /// change.
    pub fn start(&self, tasks: &Tasks) {
        if let Some(log) = self.shared.log.lock().expect("no panic while held").take() {
            let write_log = write_log(self.shared.clone(), log, tasks.closing());
            // Its last write comes after the tasks have begun to close.
            scope::enter(ComponentName::REGISTRY, || {
                tasks.spawn("registry.log", ShutdownPolicy::Drain, write_log)
            });
        }
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

fn report(recovered: &Recovered) {
    let (skipped, torn_bytes) = (recovered.skipped, recovered.torn_bytes);
    if skipped > 0 {
        tracing::warn!(skipped, "lines of the registry's log are damaged and were skipped");
    }
    let instances = recovered.instances.len();
    if instances > 0 || torn_bytes > 0 {
        tracing::info!(instances, torn_bytes, "the registry's log was read");
    }
}

/// Follows the registry as a watcher does and writes its changes to the log, at the pace of the disk. Where it falls behind
/// the log of deltas, where the file is too long and where it could not be written, a snapshot replaces the file.
async fn write_log(shared: Arc<Shared>, mut log: RegistryLog, closing: impl Future<Output = ()> + Send) {
    // What the log begins with has no revision, so that it is behind by every change there has been.
    let mut seen = EventId { rev: Revision(0), ..*shared.changed.borrow() };
    let mut changes = shared.changes();
    changes.mark_changed();
    let mut has_failed = false;
    tokio::pin!(closing);
    loop {
        let is_last = tokio::select! {
            () = &mut closing => true,
            () = sleep(LOG_RETRY_INTERVAL), if has_failed => false,
            changed = changes.changed(), if !has_failed => changed.is_err(),
        };
        let (catch_up, at) = shared.registered_since((!log.needs_snapshot()).then_some(seen));
        let (returned, result) = runtime::blocking(move || {
            let result = match catch_up {
                CatchUp::Deltas(deltas) => log.append(deltas),
                CatchUp::Snapshot(snapshot) => log.replace(snapshot),
            };
            (log, result)
        })
        .await;
        log = returned;
        match result {
            Ok(()) => {
                seen = at;
                if has_failed {
                    tracing::info!("the registry's log is written again");
                }
                has_failed = false;
            }
            Err(error) => {
                if !has_failed {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the registry's log was not written; trying again"
                    );
                }
                has_failed = true;
            }
        }
        if is_last {
            return;
        }
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

    /// The changes that are not in the log, and its position after them.
    fn registered_since(&self, seen: Option<EventId>) -> (CatchUp, EventId) {
        let store = self.store();
        (store.registered_since(seen), store.at())
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

    /// How long watchers of an earlier process may still take to come back, milliseconds.
    pub(crate) fn rejoin_ms(&self) -> u64 {
        self.rejoined_ns.saturating_sub(clock::now_ns()).div_ceil(1_000_000)
    }

    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    fn store(&self) -> MutexGuard<'_, RegistryState> {
        self.store.lock().expect("the store does not panic")
    }
}
