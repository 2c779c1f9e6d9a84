//! Forwards what came in to the user's collector. It may be slow or dead: nothing waits for it, and what it does not
//! accept is counted.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::transport::{Channel, Endpoint};

use super::export::Export;

/// Exports that may wait: some ten seconds of a traced run.
const MAX_QUEUED_EXPORTS: usize = 128;
/// Bytes that they may take in memory together, about: those of a run are 200 KiB each at most as they came, while one of
/// another program may be a hundred times as large.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Longest an export may take: the default of OpenTelemetry (`OTEL_EXPORTER_OTLP_TIMEOUT`). No run waits for it.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failure: a dead collector costs next to nothing.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Longest the end of a run waits for what is still to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The connection to the user's collector.
pub(super) struct Forwarder {
    /// The collector's URL.
    pub endpoint: String,
    exports: mpsc::Sender<QueuedExport>,
    /// Bytes that may still wait.
    room: Arc<Semaphore>,
    counters: Arc<ForwardCounters>,
}

/// An export that waits, or is being sent.
struct QueuedExport {
    request: ExportTraceServiceRequest,
    /// How many it has.
    spans: u64,
    /// Of its bytes.
    room: OwnedSemaphorePermit,
}

#[derive(Default)]
struct ForwardCounters {
    accepted: AtomicU64,
    dropped: AtomicU64,
    /// Queued, and neither accepted nor dropped yet.
    pending: AtomicU64,
    /// Why an export failed last.
    failure: Mutex<Option<String>>,
}

impl Forwarder {
    pub fn start(tasks: &Tasks, endpoint: String) -> Self {
        let (exports, queue) = mpsc::channel(MAX_QUEUED_EXPORTS);
        let counters = Arc::<ForwardCounters>::default();
        let forwarding = forward(endpoint.clone(), queue, counters.clone());
        tasks.spawn("lab.otlp.forward", ShutdownPolicy::Cancel, forwarding);
        Self { endpoint, exports, room: Arc::new(Semaphore::new(MAX_QUEUED_BYTES)), counters }
    }

    /// Why an export failed last.
    pub fn last_failure(&self) -> String {
        let failure = self.counters.failure.lock().expect("no panic while held").clone();
        failure.unwrap_or_else(|| "it accepts spans more slowly than they come".to_owned())
    }

    /// Queues an export; counts it as dropped where too many wait, or too many bytes.
    pub fn send(&self, export: Export, spans: u64) {
        self.counters.pending.fetch_add(spans, Ordering::AcqRel);
        if self.enqueue(export, spans).is_none() {
            self.counters.drop_spans(spans);
        }
    }

    /// `None` where there is no room for it.
    fn enqueue(&self, export: Export, spans: u64) -> Option<()> {
        let bytes = u32::try_from(export.bytes).ok()?;
        let room = self.room.clone().try_acquire_many_owned(bytes).ok()?;
        self.exports.try_send(QueuedExport { request: export.request, spans, room }).ok()
    }

    /// Waits a moment for what is queued; returns spans accepted and dropped.
    pub async fn finish(&self) -> (u64, u64) {
        let until = clock::now() + FLUSH_TIMEOUT;
        while self.counters.pending.load(Ordering::Acquire) > 0 && clock::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        (load(&self.counters.accepted), load(&self.counters.dropped) + load(&self.counters.pending))
    }
}

impl ForwardCounters {
    fn drop_spans(&self, spans: u64) {
        self.dropped.fetch_add(spans, Ordering::AcqRel);
        self.pending.fetch_sub(spans, Ordering::AcqRel);
    }

    fn note_failure(&self, reason: String) {
        *self.failure.lock().expect("no panic while held") = Some(reason);
    }

    fn accept(&self, spans: u64) {
        self.accepted.fetch_add(spans, Ordering::AcqRel);
        self.pending.fetch_sub(spans, Ordering::AcqRel);
    }
}

async fn forward(endpoint: String, mut queue: mpsc::Receiver<QueuedExport>, counters: Arc<ForwardCounters>) {
    let mut client = connection(&endpoint);
    let mut paused_until: Option<Instant> = None;
    while let Some(QueuedExport { request, spans, room: _room }) = queue.recv().await {
        let is_paused = paused_until.is_some_and(|until| clock::now() < until);
        let Some(client) = client.as_mut().filter(|_| !is_paused) else {
            counters.drop_spans(spans);
            continue;
        };
        match tokio::time::timeout(EXPORT_TIMEOUT, client.export(request)).await {
            Ok(Ok(_)) => counters.accept(spans),
            failed => {
                counters.note_failure(match failed {
                    Ok(Err(status)) => first_cause(&status),
                    _ => format!("no answer within {EXPORT_TIMEOUT:?}"),
                });
                counters.drop_spans(spans);
                paused_until = Some(clock::now() + RETRY_PAUSE);
            }
        }
    }
}

/// What an error began with: the messages around it repeat that an export failed.
fn first_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Connects when first used, and again after a break; `None` for an invalid address, so that all is counted as dropped.
fn connection(endpoint: &str) -> Option<TraceServiceClient<Channel>> {
    let endpoint = Endpoint::from_shared(endpoint.to_owned()).ok()?;
    Some(TraceServiceClient::new(endpoint.connect_timeout(EXPORT_TIMEOUT).connect_lazy()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
        TraceService, TraceServiceServer,
    };
    use tokio::net::{TcpListener, TcpSocket};
    use tonic::transport::server::TcpIncoming;
    use tonic::{Request, Response, Status};

    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    /// A collector that accepts every export.
    struct WillingCollector;

    #[tonic::async_trait]
    impl TraceService for WillingCollector {
        async fn export(
            &self,
            _: Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, Status> {
            Ok(Response::new(ExportTraceServiceResponse::default()))
        }
    }

    /// The address of a collector that accepts every export.
    async fn collector(tasks: &Tasks) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let serving = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(WillingCollector))
            .serve_with_incoming(TcpIncoming::from(listener));
        tasks.spawn("test.collector", ShutdownPolicy::Cancel, async move {
            serving.await.expect("it serves");
        });
        format!("http://{addr}")
    }

    /// Sends exports of so many spans, and waits until each was accepted or dropped; returns spans accepted and dropped.
    async fn send(forwarder: &Forwarder, exports: &[u64]) -> (u64, u64) {
        for spans in exports {
            forwarder.send(ExportTraceServiceRequest::default().into(), *spans);
        }
        while forwarder.counters.pending.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        forwarder.finish().await
    }

    #[tokio::test]
    async fn what_the_collector_accepts_is_counted() {
        let tasks = Tasks::new();
        let forwarder = Forwarder::start(&tasks, collector(&tasks).await);
        assert_eq!(send(&forwarder, &[3, 2]).await, (5, 0));
        tasks.finish(GRACE).await;
    }

    #[tokio::test]
    async fn a_queue_that_is_full_drops_what_comes() {
        let tasks = Tasks::new();
        let forwarder = Forwarder::start(&tasks, collector(&tasks).await);
        // Nothing is taken from the queue while this test does not wait: two exports find no room.
        assert_eq!(send(&forwarder, &[1; MAX_QUEUED_EXPORTS + 2]).await, (MAX_QUEUED_EXPORTS as u64, 2));
        tasks.finish(GRACE).await;
    }

    #[tokio::test]
    async fn exports_that_take_too_much_memory_are_dropped() {
        let tasks = Tasks::new();
        let forwarder = Forwarder::start(&tasks, collector(&tasks).await);
        let large = || Export { request: ExportTraceServiceRequest::default(), bytes: MAX_QUEUED_BYTES };
        // Nothing is taken from the queue while this test does not wait: the second finds no room.
        forwarder.send(large(), 1);
        forwarder.send(large(), 2);
        assert_eq!(send(&forwarder, &[4]).await, (5, 2));
        tasks.finish(GRACE).await;
    }

    #[tokio::test]
    async fn a_dead_collector_costs_spans_and_nothing_else() {
        let tasks = Tasks::new();
        // A port that is taken and does not listen.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let addr = socket.local_addr().expect("bound");
        let forwarder = Forwarder::start(&tasks, format!("http://{addr}"));
        assert_eq!(send(&forwarder, &[1, 2, 4]).await, (0, 7));
        tasks.finish(GRACE).await;
    }

    #[tokio::test]
    async fn an_invalid_address_drops_everything() {
        let tasks = Tasks::new();
        let forwarder = Forwarder::start(&tasks, "no address".into());
        assert_eq!(send(&forwarder, &[1, 2]).await, (0, 3));
        tasks.finish(GRACE).await;
    }
}
