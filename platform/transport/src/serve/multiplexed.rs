//! A connection of HTTP/2: its streams, their limits, and its end.
//!
//! Each stream is a task, so that one that computes keeps no other waiting. What hyper and h2 bound by themselves: streams
//! beyond [`StreamLimits::max_streams`] are refused, and a client that resets more than as many streams before they are taken
//! up, or continues a header without end, has its connection closed (`ENHANCE_YOUR_CALM`). What they leave open is bounded
//! here: a stream whose reply is not taken ends after [`StreamLimits::longest_stream`], and a connection when it has had no
//! stream at work for [`super::Options::header_timeout`], also one that has sent half a header or does not take the last
//! frames of its replies.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Executor, Read, Write};
use hyper::server::conn::http2::Builder;
use hyper::service::{Service, service_fn};
use runtime::{ShutdownPolicy, Tasks, clock, quiet};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::pieced_body::PiecedBody;
use super::{Client, ConnectionPermit, LINGER, Phase};
use crate::headers::MAX_DEADLINE;
use crate::held_body::HeldBody;

/// Limits of one connection, each with its reason.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Streams at once: four times what a pool of ours has under way at an endpoint. More are refused, and may be repeated.
    pub max_streams: u32,
    /// Bytes of one request that may be under way unread. Calls are a few hundred; longer ones come in several round trips.
    pub stream_window_bytes: u32,
    /// The same for all requests of a connection together.
    pub connection_window_bytes: u32,
    /// How long a stream may take, reply included: the longest deadline, and as long as a body may be silent. Nothing waits
    /// for a reply after that.
    pub longest_stream: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            max_streams: 256,
            stream_window_bytes: 256 * 1024,
            connection_window_bytes: 1 << 20,
            longest_stream: MAX_DEADLINE + Duration::from_secs(10),
        }
    }
}

/// Serves a connection that has begun with HTTP/2, until it is over.
pub(super) async fn serve<I, S, B>(
    io: I,
    service: S,
    limits: StreamLimits,
    tasks: &Tasks,
    client: &Client,
    place: &ConnectionPermit,
    mut phase: watch::Receiver<Phase>,
) where
    I: Read + Write + Unpin,
    S: Service<Request<Incoming>, Response = Response<HeldBody<B>>, Error = Infallible>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let super::Options { header_timeout, max_header_bytes, .. } = place.shared.options;
    let streams = Arc::new(Streams::new());
    let executor = StreamExecutor { tasks: tasks.clone(), streams: streams.clone() };
    let service = service_fn(move |request| {
        let response = service.call(request);
        async move { Ok::<_, Infallible>(response.await?.map(PiecedBody::new)) }
    });
    let connection = Builder::new(executor)
        .max_concurrent_streams(limits.max_streams)
        // A process that stood still finds all that its callers have given up meanwhile at once. By h2's own limit, 20,
        // that would cost the calls that are still waited for.
        .max_pending_accept_reset_streams(limits.max_streams as usize)
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_header_list_size(u32::try_from(max_header_bytes).unwrap_or(u32::MAX))
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let evicted = quiet(place.entry.evicted());
    let leaving = quiet(async {
        tokio::select! {
            () = client.leaves.notified() => {}
            () = streams.unused_for(header_timeout, limits.longest_stream) => {}
            _ = phase.wait_for(|phase| *phase > Phase::Open) => {}
        }
    });
    tokio::select! {
        biased;
        // An error is the peer's doing, and it has been sent to it.
        _over = &mut connection => return,
        // It asks for nothing, and others need its place; but for a stream that came in the same moment.
        _of = evicted => if !place.entry.is_at_work() { return },
        () = leaving => {}
    }
    // New streams are refused from here on, after a round trip in which those under way arrive; the client repeats them on
    // another connection. The connection ends with its last stream.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ended = connection => {}
        _ = phase.wait_for(|phase| *phase == Phase::Cut) => {}
        // The round trip does not come about with a client that does not read.
        () = streams.unused_for(LINGER, limits.longest_stream) => {}
    }
}

/// The streams of one connection that are under way.
struct Streams(Mutex<StreamTable>);

struct StreamTable {
    /// By their number, and so by their age.
    open: BTreeMap<u64, OpenStream>,
    next: u64,
    unused_since: Instant,
}

struct OpenStream {
    since: Instant,
    /// `None` before its task has been started.
    task: Option<AbortHandle>,
}

impl Streams {
    fn new() -> Self {
        Self(Mutex::new(StreamTable { open: BTreeMap::new(), next: 0, unused_since: clock::now() }))
    }

    fn table(&self) -> MutexGuard<'_, StreamTable> {
        self.0.lock().expect("no panic while held")
    }

    fn begin(self: &Arc<Self>) -> StreamEntry {
        let mut table = self.table();
        let number = table.next;
        table.next += 1;
        table.open.insert(number, OpenStream { since: clock::now(), task: None });
        StreamEntry { streams: self.clone(), number }
    }

    /// Resolves when there have been no streams for `time`. Until then those are ended that take longer than `longest`.
    async fn unused_for(&self, time: Duration, longest: Duration) {
        loop {
            let wait = self.table().end_overdue(time, longest);
            if wait.is_zero() {
                return;
            }
            sleep(wait).await;
        }
    }
}

impl StreamTable {
    /// Ends what is overdue, and returns how long nothing else can be: zero when the connection has been unused for `time`.
    fn end_overdue(&mut self, time: Duration, longest: Duration) -> Duration {
        let now = clock::now();
        for stream in self.open.values() {
            let left = (stream.since + longest).saturating_duration_since(now);
            if !left.is_zero() {
                return left.min(time);
            }
            if let Some(task) = &stream.task {
                task.abort();
            }
        }
        if self.open.is_empty() { (self.unused_since + time).saturating_duration_since(now) } else { time }
    }
}

/// A stream's entry in the table; gone when its task has ended.
struct StreamEntry {
    streams: Arc<Streams>,
    number: u64,
}

impl Drop for StreamEntry {
    fn drop(&mut self) {
        let mut table = self.streams.table();
        table.open.remove(&self.number);
        if table.open.is_empty() {
            table.unused_since = clock::now();
        }
    }
}

/// Starts a task for each stream.
#[derive(Clone)]
struct StreamExecutor {
    tasks: Tasks,
    streams: Arc<Streams>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let entry = self.streams.begin();
        let number = entry.number;
        // It ends with its connection.
        let task = self.tasks.spawn("transport.stream", ShutdownPolicy::Drain, async move {
            stream.await;
            drop(entry);
        });
        if let Some(open) = self.streams.table().open.get_mut(&number) {
            open.task = Some(task.abort_handle());
        }
    }
}
