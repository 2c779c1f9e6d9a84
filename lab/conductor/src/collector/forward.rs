//! What came in goes on to the user's collector. It may be slow or dead: nothing waits for it, and what it does
//! not take is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use runtime::{Fate, Tasks, clock};
use tokio::sync::mpsc;
use tonic::transport::{Channel, Endpoint};

/// Exports that may wait: some ten seconds of a traced run, 200 KiB each at most.
const WAITING: usize = 128;
/// Longest an export may take.
const TIMEOUT: Duration = Duration::from_secs(1);
/// After a failure nothing is tried for so long: a dead collector costs next to nothing.
const REST: Duration = Duration::from_secs(1);
/// Longest the end of a run waits for what is still to be sent.
const LAST_CHANCE: Duration = Duration::from_millis(1_500);

/// The way to the user's collector.
pub(super) struct Forwarder {
    exports: mpsc::Sender<(ExportTraceServiceRequest, u64)>,
    books: Arc<Books>,
}

#[derive(Default)]
struct Books {
    taken: AtomicU64,
    lost: AtomicU64,
    /// Handed over and neither taken nor lost yet.
    open: AtomicU64,
}

impl Forwarder {
    pub fn start(tasks: &Tasks, endpoint: String) -> Self {
        let (exports, waiting) = mpsc::channel(WAITING);
        let books = Arc::<Books>::default();
        tasks.spawn("lab.otlp.forward", Fate::ShutDown, forward(endpoint, waiting, books.clone()));
        Self { exports, books }
    }

    /// Hands an export over; counts it as lost where too many wait.
    pub fn send(&self, request: ExportTraceServiceRequest, spans: u64) {
        self.books.open.fetch_add(spans, Ordering::AcqRel);
        if self.exports.try_send((request, spans)).is_err() {
            self.books.lose(spans);
        }
    }

    /// Waits a moment for what is under way; returns spans taken and lost.
    pub async fn finish(&self) -> (u64, u64) {
        let until = clock::now() + LAST_CHANCE;
        while self.books.open.load(Ordering::Acquire) > 0 && clock::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        (load(&self.books.taken), load(&self.books.lost) + load(&self.books.open))
    }
}

impl Books {
    fn lose(&self, spans: u64) {
        self.lost.fetch_add(spans, Ordering::AcqRel);
        self.open.fetch_sub(spans, Ordering::AcqRel);
    }

    fn give(&self, spans: u64) {
        self.taken.fetch_add(spans, Ordering::AcqRel);
        self.open.fetch_sub(spans, Ordering::AcqRel);
    }
}

async fn forward(
    endpoint: String,
    mut waiting: mpsc::Receiver<(ExportTraceServiceRequest, u64)>,
    books: Arc<Books>,
) {
    let mut client = connection(&endpoint);
    let mut resting: Option<Instant> = None;
    while let Some((request, spans)) = waiting.recv().await {
        let asleep = resting.is_some_and(|until| clock::now() < until);
        let Some(client) = client.as_mut().filter(|_| !asleep) else {
            books.lose(spans);
            continue;
        };
        match tokio::time::timeout(TIMEOUT, client.export(request)).await {
            Ok(Ok(_)) => books.give(spans),
            Ok(Err(_)) | Err(_) => {
                books.lose(spans);
                resting = Some(clock::now() + REST);
            }
        }
    }
}

/// Connects when first used, and again after a break; `None` for what is no address, so that all is counted as lost.
fn connection(endpoint: &str) -> Option<TraceServiceClient<Channel>> {
    let endpoint = Endpoint::from_shared(endpoint.to_owned()).ok()?;
    Some(TraceServiceClient::new(endpoint.connect_timeout(TIMEOUT).connect_lazy()))
}
