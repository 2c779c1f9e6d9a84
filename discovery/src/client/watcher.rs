//! Follows the registry and feeds the clusters that requests pick from.
//!
//! A request never waits for the registry: it reads a cluster. When the
//! registry is away the clusters stay as they were, and the age of that
//! knowledge is a gauge.

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
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use transport::cluster::{self, Clusters};

use super::link::{Link, LinkError, Wire};
use super::sse::{Frame, Reader, TooLong};
use super::view::{OutOfOrder, Touched, View};
use super::{backoff, memory};
use crate::model::{Delta, EventId, Instance, ServiceName, Snapshot, State};
use crate::place::Place;

/// First wait before another connection; doubles up to [`BACKOFF_CAP`].
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_CAP: Duration = Duration::from_secs(2);
/// How often doubts are reconsidered and the staleness gauge is set.
const TICK: Duration = Duration::from_millis(250);

/// Whom to watch, and how.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Where the registry listens.
    pub registry: Place,
    /// The services to hear of, and whose clusters to feed; none for all, without clusters.
    pub services: Vec<ComponentName>,
    /// A stream without a sign of life for this long is dead. Three heartbeats.
    pub silence: Duration,
    /// Where the last snapshot is kept for a cold start without a registry.
    pub file: Option<PathBuf>,
}

impl Watch {
    /// Watches `services`, without a file.
    pub fn new(registry: impl Into<Place>, services: Vec<ComponentName>) -> Self {
        Self { registry: registry.into(), services, silence: Duration::from_secs(3), file: None }
    }
}

/// A handle on what the watcher knows.
#[derive(Clone)]
pub struct Watcher {
    known: Arc<Known>,
    changes: watch::Receiver<Option<EventId>>,
}

struct Known {
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// When the registry last gave a sign of life; 0 for never.
    heard_ns: AtomicU64,
    started_ns: u64,
}

impl Watcher {
    /// Begins to watch and to feed `clusters`.
    pub fn start(tasks: &Tasks, watch: Watch, clusters: Clusters) -> Self {
        let known = Arc::new(Known {
            snapshot: Arc::default(),
            heard_ns: AtomicU64::new(0),
            started_ns: clock::now_ns(),
        });
        let (told, changes) = watch::channel(None);
        if let Some(file) = watch.file.clone() {
            let remember = memory::remember(file, known.snapshot.clone(), changes.clone());
            tasks.spawn("registry.remember", ShutdownPolicy::Cancel, remember);
        }
        let follower = Follower { watch, clusters, known: known.clone(), told, view: View::default() };
        tasks.spawn("registry.watch", ShutdownPolicy::Cancel, follower.run());
        Self { known, changes }
    }

    /// What it believes now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.known.snapshot.load_full()
    }

    /// How long ago the registry gave a sign of life.
    pub fn staleness(&self) -> Duration {
        self.known.staleness()
    }

    /// Told with every change; `None` until the registry has been heard.
    pub fn changes(&self) -> watch::Receiver<Option<EventId>> {
        self.changes.clone()
    }

    /// Waits for the registry's first snapshot.
    pub async fn heard(&self) {
        let mut changes = self.changes.clone();
        // An error means that the watcher has ended, after which nothing can be waited for.
        let _ended = changes.wait_for(Option::is_some).await;
    }
}

impl Known {
    fn staleness(&self) -> Duration {
        let since = match self.heard_ns.load(Ordering::Relaxed) {
            0 => self.started_ns,
            heard => heard,
        };
        Duration::from_nanos(clock::now_ns().saturating_sub(since))
    }
}

#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the registry refused the watch with {0}")]
    Refused(StatusCode),
    #[error("the registry ended the watch")]
    Ended,
    #[error("no sign of life on the watch for {0:?}")]
    Silent(Duration),
    #[error("the watch sent an event that is no event of ours")]
    Unreadable(#[source] Option<serde_json::Error>),
    #[error(transparent)]
    TooLong(#[from] TooLong),
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
}

struct Follower {
    watch: Watch,
    clusters: Clusters,
    known: Arc<Known>,
    told: watch::Sender<Option<EventId>>,
    view: View,
}

impl Follower {
    async fn run(mut self) {
        if let Some(file) = self.watch.file.clone()
            && let Some(snapshot) = memory::recall(file).await
        {
            tracing::info!(instances = snapshot.instances.len(), "starting from the last run's snapshot");
            self.view = View::remembered(snapshot);
            self.publish(self.services());
        }
        let mut failures = 0;
        loop {
            let before = self.known.heard_ns.load(Ordering::Relaxed);
            let Err(error) = self.follow().await;
            let heard = self.known.heard_ns.load(Ordering::Relaxed) != before;
            if heard || failures == 0 {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the watch broke; serving what is known"
                );
            }
            if matches!(error, WatchError::OutOfOrder(_) | WatchError::Unreadable(_)) {
                self.view.start_over();
            }
            failures = if heard { 0 } else { failures + 1 };
            let wait = sleep(backoff(BACKOFF, BACKOFF_CAP, failures));
            self.ticking(wait).await;
        }
    }

    /// One connection, until it breaks.
    async fn follow(&mut self) -> Result<std::convert::Infallible, WatchError> {
        let names: Vec<&str> = self.watch.services.iter().map(|name| name.as_str()).collect();
        let query = if names.is_empty() { String::new() } else { format!("?services={}", names.join(",")) };
        let path = format!("/v1/watch{query}");
        let link = Link::new(self.watch.registry.clone(), None);
        let opening = link.open(&path, self.view.at().map(|at| at.to_string()));
        let (response, mut wire) = self.ticking(opening).await?;
        if response.status() != StatusCode::OK {
            return Err(WatchError::Refused(response.status()));
        }
        self.heard();
        let mut body = response.into_body();
        let mut reader = Reader::default();
        loop {
            let silence = self.watch.silence;
            let chunk = self.ticking(timeout(silence, chunk(&mut wire, &mut body))).await;
            let chunk = chunk.map_err(|_| WatchError::Silent(silence))??;
            self.heard();
            for frame in reader.push(&chunk)? {
                let touched = self.take(frame)?;
                self.publish(touched);
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<Touched, WatchError> {
        let unreadable = |error| WatchError::Unreadable(Some(error));
        match frame.event.as_str() {
            "snapshot" => {
                let snapshot: Snapshot = serde_json::from_str(&frame.data).map_err(unreadable)?;
                let touched = self.view.take_snapshot(snapshot, clock::now_ns());
                if self.view.held() > 0 {
                    let held = self.view.held();
                    tracing::warn!(held, "the registry has forgotten instances; they are kept for one lease");
                }
                Ok(touched)
            }
            "delta" => {
                let id = frame.id.parse().map_err(|()| WatchError::Unreadable(None))?;
                let delta: Delta = serde_json::from_str(&frame.data).map_err(unreadable)?;
                Ok(self.view.take_delta(id, delta)?)
            }
            // A later registry may say more than we know.
            _ => Ok(Touched::new()),
        }
    }

    /// Lets everybody see what has changed.
    fn publish(&mut self, touched: Touched) {
        self.known.snapshot.store(Arc::new(self.view.snapshot()));
        for component in &self.watch.services {
            let service = ServiceName::from(*component);
            if touched.contains(&service) {
                let instances = self.view.instances(&service).into_iter().map(for_cluster).collect();
                self.clusters.get(*component).update(instances);
            }
        }
        if let Some(at) = self.view.at() {
            self.told.send_replace(Some(at));
        }
    }

    /// Waits for `future`; meanwhile doubts end, the gauge moves, the file is written.
    async fn ticking<F: Future>(&mut self, future: F) -> F::Output {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                biased;
                output = &mut future => return output,
                _ = tick.tick() => {}
            }
            let over = self.view.tick(clock::now_ns());
            if !over.is_empty() {
                self.publish(over);
            }
            telemetry::discovery_staleness(self.known.staleness());
        }
    }

    fn heard(&self) {
        self.known.heard_ns.store(clock::now_ns().max(1), Ordering::Relaxed);
    }

    fn services(&self) -> Touched {
        self.watch.services.iter().map(|component| ServiceName::from(*component)).collect()
    }
}

async fn chunk(wire: &mut Wire, body: &mut Incoming) -> Result<bytes::Bytes, WatchError> {
    loop {
        let frame = wire.drive(body.frame()).await.ok_or(WatchError::Ended)?;
        if let Ok(data) = frame.map_err(LinkError::Broken)?.into_data() {
            return Ok(data);
        }
    }
}

fn for_cluster(instance: Instance) -> cluster::Instance {
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
