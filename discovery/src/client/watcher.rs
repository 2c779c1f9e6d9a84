//! Watches the registry and updates the clusters that requests pick from.
//!
//! A request never waits for the registry: it reads a cluster. During an outage of the registry the
//! clusters keep their instances, and a gauge shows their staleness.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use contract::ComponentName;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use policy::lease::REJOIN_NS;
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use transport::Network;
use transport::cluster::{self, Clusters};

use super::connection::{ClientError, ConnectionDriver, REQUEST_TIMEOUT, RegistryClient};
use super::membership::{ChangedServices, MembershipView, SequenceGap};
use super::sse::{LineTooLong, SseEvent, SseParser};
use super::{backoff, snapshot_file};
use crate::instance::{Delta, EventId, Instance, ServiceName, Snapshot, State};
use crate::location::Location;

/// First wait before reconnecting; doubles up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// With an attempt it is as long as what leaves stays listed for those that come back ([`REJOIN_NS`]).
const MAX_BACKOFF: Duration = Duration::from_secs(2);
const _: () = assert!(MAX_BACKOFF.as_nanos() + REQUEST_TIMEOUT.as_nanos() <= REJOIN_NS as u128);
/// Interval of removals and of updates to the staleness gauge.
const TICK: Duration = Duration::from_millis(250);

/// Options of a watcher.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Location of the registry.
    pub registry: Location,
    /// The services to watch, whose clusters are updated; empty for all, without clusters.
    pub services: Vec<ComponentName>,
    /// A stream without data for this long is closed. Three heartbeats.
    pub idle_timeout: Duration,
    /// File of the last snapshot, for a start without a registry.
    pub file: Option<PathBuf>,
    /// What lies between.
    pub network: Network,
}

impl Watch {
    /// Watches `services`, without a file.
    pub fn new(registry: impl Into<Location>, services: Vec<ComponentName>) -> Self {
        let (idle_timeout, network) = (Duration::from_secs(3), Network::loopback());
        Self { registry: registry.into(), services, idle_timeout, file: None, network }
    }
}

/// A handle on a watcher's state.
#[derive(Clone)]
pub struct Watcher {
    state: Arc<WatcherState>,
    changes: watch::Receiver<Option<EventId>>,
}

struct WatcherState {
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// Time of the last data from the registry; 0 for never.
    last_contact_ns: AtomicU64,
    started_ns: u64,
}

impl Watcher {
    /// Starts watching and updating `clusters`.
    pub fn start(tasks: &Tasks, watch: Watch, clusters: Clusters) -> Self {
        let state = Arc::new(WatcherState {
            snapshot: Arc::default(),
            last_contact_ns: AtomicU64::new(0),
            started_ns: clock::now_ns(),
        });
        let (position_tx, changes) = watch::channel(None);
        if let Some(file) = watch.file.clone() {
            let save_changes = snapshot_file::save_changes(file, state.snapshot.clone(), changes.clone());
            tasks.spawn("registry.save_snapshot", ShutdownPolicy::Cancel, save_changes);
        }
        let task =
            WatchTask { watch, clusters, state: state.clone(), position_tx, view: MembershipView::default() };
        tasks.spawn("registry.watch", ShutdownPolicy::Cancel, task.run());
        Self { state, changes }
    }

    /// The current view.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.state.snapshot.load_full()
    }

    /// Time since the last data from the registry.
    pub fn staleness(&self) -> Duration {
        self.state.staleness()
    }

    /// Notified of every change; `None` until the first snapshot.
    pub fn changes(&self) -> watch::Receiver<Option<EventId>> {
        self.changes.clone()
    }

    /// Waits for the registry's first snapshot.
    pub async fn first_snapshot(&self) {
        let mut changes = self.changes.clone();
        // An error means that the watcher has ended, after which nothing can be waited for.
        let _ended = changes.wait_for(Option::is_some).await;
    }
}

impl WatcherState {
    fn staleness(&self) -> Duration {
        let since = match self.last_contact_ns.load(Ordering::Relaxed) {
            0 => self.started_ns,
            heard => heard,
        };
        Duration::from_nanos(clock::now_ns().saturating_sub(since))
    }
}

#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the registry responded to the watch with {0}")]
    Refused(StatusCode),
    #[error("the registry ended the watch")]
    Ended,
    #[error("no data on the watch for {0:?}")]
    Timeout(Duration),
    #[error("the watch sent an unknown event")]
    Unreadable(#[source] Option<serde_json::Error>),
    #[error(transparent)]
    LineTooLong(#[from] LineTooLong),
    #[error(transparent)]
    SequenceGap(#[from] SequenceGap),
}

struct WatchTask {
    watch: Watch,
    clusters: Clusters,
    state: Arc<WatcherState>,
    position_tx: watch::Sender<Option<EventId>>,
    view: MembershipView,
}

impl WatchTask {
    async fn run(mut self) {
        if let Some(file) = self.watch.file.clone()
            && let Some(snapshot) = snapshot_file::load(file).await
        {
            tracing::info!(instances = snapshot.instances.len(), "starting from the snapshot file");
            self.view = MembershipView::from_file(snapshot);
            self.publish(self.services());
        }
        let mut failures = 0;
        loop {
            let before = self.state.last_contact_ns.load(Ordering::Relaxed);
            let Err(error) = self.watch_once().await;
            let had_contact = self.state.last_contact_ns.load(Ordering::Relaxed) != before;
            if had_contact || failures == 0 {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the watch failed; the clusters keep their instances"
                );
            }
            if matches!(error, WatchError::SequenceGap(_) | WatchError::Unreadable(_)) {
                self.view.reset_position();
            }
            failures = if had_contact { 0 } else { failures + 1 };
            let wait = sleep(backoff(FIRST_BACKOFF, MAX_BACKOFF, failures));
            self.while_ticking(wait).await;
        }
    }

    /// Follows one connection until it fails.
    async fn watch_once(&mut self) -> Result<std::convert::Infallible, WatchError> {
        let names: Vec<&str> = self.watch.services.iter().map(|name| name.as_str()).collect();
        let query = if names.is_empty() { String::new() } else { format!("?services={}", names.join(",")) };
        let path = format!("/v1/watch{query}");
        let network = self.watch.network.clone();
        let client = RegistryClient::new(self.watch.registry.clone(), None, network.clone());
        let opening = client.open(&path, self.view.at().map(|at| at.to_string()));
        let (response, mut driver) = self.while_ticking(opening).await?;
        if response.status() != StatusCode::OK {
            return Err(WatchError::Refused(response.status()));
        }
        self.note_contact();
        let mut body = response.into_body();
        let mut parser = SseParser::default();
        loop {
            let idle_timeout = self.watch.idle_timeout;
            let chunk = self.while_ticking(timeout(idle_timeout, chunk(&mut driver, &mut body))).await;
            let chunk = chunk.map_err(|_| WatchError::Timeout(idle_timeout))??;
            self.while_ticking(network.one_way()).await;
            self.note_contact();
            for frame in parser.push(&chunk)? {
                let changed = self.handle_event(frame)?;
                self.publish(changed);
            }
        }
    }

    fn handle_event(&mut self, frame: SseEvent) -> Result<ChangedServices, WatchError> {
        let unreadable = |error| WatchError::Unreadable(Some(error));
        match frame.event.as_str() {
            "snapshot" => {
                let snapshot: Snapshot = serde_json::from_str(&frame.data).map_err(unreadable)?;
                let changed = self.view.apply_snapshot(snapshot, clock::now_ns());
                if self.view.held() > 0 {
                    let held = self.view.held();
                    tracing::warn!(
                        held,
                        "instances are missing from the registry's snapshot; keeping them for one lease"
                    );
                }
                Ok(changed)
            }
            "delta" => {
                let id = frame.id.parse().map_err(|()| WatchError::Unreadable(None))?;
                let delta: Delta = serde_json::from_str(&frame.data).map_err(unreadable)?;
                Ok(self.view.apply_delta(id, delta)?)
            }
            // A later registry may send other events.
            _ => Ok(ChangedServices::new()),
        }
    }

    /// Publishes the view to the snapshot and the clusters.
    fn publish(&mut self, changed: ChangedServices) {
        self.state.snapshot.store(Arc::new(self.view.snapshot()));
        for component in &self.watch.services {
            let service = ServiceName::from(*component);
            if changed.contains(&service) {
                let instances = self.view.instances(&service).into_iter().map(to_cluster_instance).collect();
                self.clusters.get(*component).update(instances);
            }
        }
        if let Some(at) = self.view.at() {
            self.position_tx.send_replace(Some(at));
        }
    }

    /// Awaits `future`; meanwhile removes missing instances and updates the gauge.
    async fn while_ticking<F: Future>(&mut self, future: F) -> F::Output {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                biased;
                output = &mut future => return output,
                _ = tick.tick() => {}
            }
            let expired = self.view.tick(clock::now_ns());
            if !expired.is_empty() {
                self.publish(expired);
            }
            telemetry::discovery_staleness(self.state.staleness());
        }
    }

    fn note_contact(&self) {
        self.state.last_contact_ns.store(clock::now_ns().max(1), Ordering::Relaxed);
    }

    fn services(&self) -> ChangedServices {
        self.watch.services.iter().map(|component| ServiceName::from(*component)).collect()
    }
}

async fn chunk(driver: &mut ConnectionDriver, body: &mut Incoming) -> Result<bytes::Bytes, WatchError> {
    loop {
        let frame = driver.drive(body.frame()).await.ok_or(WatchError::Ended)?;
        if let Ok(data) = frame.map_err(ClientError::Broken)?.into_data() {
            return Ok(data);
        }
    }
}

fn to_cluster_instance(instance: Instance) -> cluster::Instance {
    cluster::Instance {
        id: instance.id.into(),
        epoch: instance.epoch.0,
        addr: instance.addr,
        zone: instance.zone,
        version: instance.version,
        weight: instance.weight,
        state: match instance.state {
            State::Starting => cluster::State::Starting,
            State::Ready => cluster::State::Ready,
            State::Draining => cluster::State::Draining,
            State::Suspect => cluster::State::Suspect,
        },
    }
}
