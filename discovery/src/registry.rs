//! The registry as a server: the store behind one lock, its sweep, and the wake-up of watchers.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::ComponentName;
use fault::active::RegistryAnswer;
use runtime::{ShutdownPolicy, Tasks, clock, scope};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::http;
use crate::model::{EventId, RegistryEpoch, Snapshot, Watched};
use crate::store::{CatchUp, Cmd, Event, Refused, Rules, Store};

/// How a registry is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// What mutating calls must carry in `x-cleave-token`.
    pub token: Arc<str>,
    /// What the store goes by.
    pub rules: Rules,
    /// How often lapsed leases are looked for.
    pub sweep: Duration,
    /// How often an idle watch says that it is alive.
    pub heartbeat: Duration,
}

impl Options {
    /// The defaults of the house: leases of 3 s, a sweep each 100 ms, a heartbeat each second.
    pub fn new(token: Arc<str>) -> Self {
        Self {
            token,
            rules: Rules::default(),
            sweep: Duration::from_millis(100),
            heartbeat: Duration::from_secs(1),
        }
    }
}

/// The registry: cheap to clone, hosted in any process.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    store: Mutex<Store>,
    changed: watch::Sender<EventId>,
    closed: watch::Sender<bool>,
    /// How it answers wrongly, where a fault says so.
    ailing: watch::Sender<Option<Ailment>>,
}

/// A wrong answer, and what was known when it began.
#[derive(Clone, Debug)]
pub(crate) struct Ailment {
    pub how: RegistryAnswer,
    knew: Snapshot,
}

impl Registry {
    /// An empty registry; its epoch is the moment of this call, so that watchers
    /// of an earlier life notice.
    pub fn new(options: Options) -> Self {
        let epoch = RegistryEpoch(u64::try_from(clock::wall_us()).unwrap_or_default());
        let store = Store::new(epoch, options.rules);
        let (changed, _) = watch::channel(store.at());
        let (closed, _) = watch::channel(false);
        let (ailing, _) = watch::channel(None);
        Self { shared: Arc::new(Shared { options, store: Mutex::new(store), changed, closed, ailing }) }
    }

    /// Its HTTP face; see [`crate::http`].
    pub fn router(&self) -> axum::Router {
        http::router(self.shared.clone())
    }

    /// Starts the sweep, which ends with the tasks, and the watches with it.
    pub fn start(&self, tasks: &Tasks) {
        let shared = self.shared.clone();
        let closing = tasks.closing();
        let sweep = async move {
            let mut tick = tokio::time::interval(shared.options.sweep);
            // After a pause one sweep is enough; the store sees the gap.
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            tokio::pin!(closing);
            loop {
                tokio::select! {
                    () = &mut closing => break,
                    _ = tick.tick() => {
                        shared.apply(Cmd::Sweep).expect("a sweep is never refused");
                    }
                }
            }
            shared.closed.send_replace(true);
        };
        // Finish, not ShutDown: its last line ends the watches.
        scope::enter(ComponentName::REGISTRY, || tasks.spawn("registry.sweep", ShutdownPolicy::Drain, sweep));
    }

    /// Ends all watches. Before the drain of a server that hosts this registry:
    /// a watch never ends by itself, and the drain would wait for it.
    pub fn close(&self) {
        self.shared.closed.send_replace(true);
    }

    /// From now on answers wrongly, or rightly again. Watchers are told anew.
    pub fn ail(&self, how: Option<RegistryAnswer>) {
        let ailing = &self.shared.ailing;
        if ailing.borrow().as_ref().map(|ailment| ailment.how) != how {
            let knew = self.shared.snapshot(&Watched::All);
            ailing.send_replace(how.map(|how| Ailment { how, knew }));
        }
    }

    /// Everything it knows now.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot(&Watched::All)
    }
}

impl Shared {
    /// Applies a command now, tells the log what is worth telling and wakes the watchers.
    pub(crate) fn apply(&self, cmd: Cmd) -> Result<EventId, Refused> {
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
                Event::StoodStill { gap_ns } => {
                    tracing::warn!(
                        gap_ms = gap_ns / 1_000_000,
                        "the registry stood still; all leases start again"
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

    pub(crate) fn snapshot(&self, watched: &Watched) -> Snapshot {
        self.store().snapshot(watched)
    }

    /// What a watcher lacks, and where it stands after that.
    pub(crate) fn since(&self, seen: Option<EventId>, watched: &Watched) -> (CatchUp, EventId) {
        let store = self.store();
        (store.since(seen, watched), store.at())
    }

    pub(crate) fn ailing(&self) -> watch::Receiver<Option<Ailment>> {
        self.ailing.subscribe()
    }

    /// What an ailing registry says it knows; `None` while it is well.
    pub(crate) fn misled(&self, watched: &Watched) -> Option<Snapshot> {
        let ailing = self.ailing.borrow();
        let Ailment { how, knew } = ailing.as_ref()?;
        let mut snapshot = self.store().snapshot(watched);
        match how {
            RegistryAnswer::Error | RegistryAnswer::Slow(_) => return None,
            RegistryAnswer::Empty => snapshot.instances.clear(),
            RegistryAnswer::Stale => {
                snapshot.instances =
                    knew.instances.iter().filter(|i| watched.has(&i.service)).cloned().collect();
            }
            // The discard port: nobody listens there.
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

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("the store does not panic")
    }
}
