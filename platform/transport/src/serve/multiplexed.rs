//! A connection of HTTP/2: its streams, their limits, and its end.
//!
//! Each stream is a task, so that one that computes keeps no other waiting. What hyper and h2 bound by themselves: streams
//! beyond [`StreamLimits::max_streams`] are refused, and a client that resets more than as many streams before they are taken
//! up, or continues a header without end, has its connection closed (`ENHANCE_YOUR_CALM`). What they leave open is bounded
//! here: of the streams of one address those beyond the connections that it may have are refused as well, and of all streams
//! those beyond [`super::Options::max_connections`], or HTTP/2 would multiply by a hundred what may be under way; a stream
//! whose reply is not taken ends after [`StreamLimits::longest_stream`], or where readers have a minimum rate once it has not been
//! kept after that, and a connection when it has had no stream at work for [`super::Options::header_timeout`], also one that has
//! sent half a header or does not take the last frames of its replies.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Executor, Read, Write};
use hyper::server::conn::http2::Builder;
use hyper::service::{Service, service_fn};
use policy::MinimumRate;
use runtime::{ShutdownPolicy, Tasks, clock, quiet};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::options::StreamLimits;
use super::pieced_body::PiecedBody;
use super::{Client, ConnectionPermit, LINGER, Phase};
use crate::held_body::HeldBody;

/// Streams that a client may have reset by its own mistakes, in the life of a connection; h2's own limit, stated here since it is
/// what ends a flood of them.
const MAX_MISTAKEN_STREAMS: usize = 1_024;

tokio::task_local! {
    /// Until when the reader of the stream whose task this is has to let the next piece of its reply through, as
    /// [`clock::now_ns`]; only where readers have a minimum rate.
    static LET_THROUGH_UNTIL_NS: Arc<AtomicU64>;
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
    let super::Options { header_timeout, max_header_bytes, read_rate, .. } = place.shared.options;
    let streams = Arc::new(Streams::new());
    let executor =
        StreamExecutor { tasks: tasks.clone(), streams: streams.clone(), is_paced: read_rate.is_some() };
    let entry = place.entry.clone();
    let service = service_fn(move |request| {
        let response = entry.has_room().then(|| service.call(request));
        let let_through = move |bytes: u64| {
            if let Some(rate) = read_rate {
                extend_time(&rate, bytes);
            }
        };
        async move {
            // Nothing of it has been done, so that its client may repeat it.
            let Some(response) = response else { return Err(h2::Error::from(h2::Reason::REFUSED_STREAM)) };
            let Ok(response) = response.await;
            Ok(response.map(|body| PiecedBody::new(body, let_through)))
        }
    });
    let connection = Builder::new(executor)
        .max_concurrent_streams(limits.max_streams)
        // A process that stood still finds all that its callers have given up meanwhile at once. By h2's own limit, 20,
        // that would cost the calls that are still waited for.
        .max_pending_accept_reset_streams(limits.max_streams as usize)
        .max_local_error_reset_streams(MAX_MISTAKEN_STREAMS)
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

/// A piece of so many bytes goes out: the window of its stream is open. Its reader has to let the next one through in the time that
/// this one may take.
fn extend_time(rate: &MinimumRate, bytes: u64) {
    let until_ns = clock::now_ns().saturating_add(rate.allowance_ns(bytes));
    // Without a task of a stream there is none to end.
    let _paced = LET_THROUGH_UNTIL_NS.try_with(|until| until.store(until_ns, Ordering::Relaxed));
}

/// The streams of one connection that are under way.
struct Streams(Mutex<StreamTable>);

struct StreamTable {
    /// By their number.
    open: BTreeMap<u64, OpenStream>,
    next: u64,
    unused_since: Instant,
}

struct OpenStream {
    since: Instant,
    /// Its [`LET_THROUGH_UNTIL_NS`].
    let_through_until_ns: Option<Arc<AtomicU64>>,
    /// `None` before its task has been started.
    task: Option<AbortHandle>,
}

impl OpenStream {
    /// How long it may go on.
    fn time_left(&self, longest: Duration, now: Instant) -> Duration {
        let left = (self.since + longest).saturating_duration_since(now);
        let until_ns = self.let_through_until_ns.as_ref().map_or(0, |until| until.load(Ordering::Relaxed));
        left.max(Duration::from_nanos(until_ns.saturating_sub(clock::ns_at(now))))
    }
}

impl Streams {
    fn new() -> Self {
        Self(Mutex::new(StreamTable { open: BTreeMap::new(), next: 0, unused_since: clock::now() }))
    }

    fn table(&self) -> MutexGuard<'_, StreamTable> {
        self.0.lock().expect("no panic while held")
    }

    fn begin(self: &Arc<Self>, let_through_until_ns: Option<Arc<AtomicU64>>) -> StreamEntry {
        let mut table = self.table();
        let number = table.next;
        table.next += 1;
        table.open.insert(number, OpenStream { since: clock::now(), let_through_until_ns, task: None });
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
        if self.open.is_empty() {
            return (self.unused_since + time).saturating_duration_since(now);
        }
        let mut wait = time;
        for stream in self.open.values() {
            let left = stream.time_left(longest, now);
            if !left.is_zero() {
                wait = wait.min(left);
            } else if let Some(task) = &stream.task {
                task.abort();
            }
        }
        wait
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
    /// Whether readers have a minimum rate.
    is_paced: bool,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let until = self.is_paced.then(Arc::<AtomicU64>::default);
        let entry = self.streams.begin(until.clone());
        let number = entry.number;
        // It ends with its connection.
        let task = self.tasks.spawn("transport.stream", ShutdownPolicy::Drain, async move {
            match until {
                Some(until) => LET_THROUGH_UNTIL_NS.scope(until, stream).await,
                None => stream.await,
            }
            drop(entry);
        });
        if let Some(open) = self.streams.table().open.get_mut(&number) {
            open.task = Some(task.abort_handle());
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::units::HumanDuration;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    #[test]
    fn a_stream_has_its_time_and_after_that_the_time_that_its_reader_keeps() {
        let since = clock::now();
        let at = |seconds| since + Duration::from_secs(seconds);
        let stream = |let_through_until_ns| OpenStream { since, let_through_until_ns, task: None };
        let unpaced = stream(None);
        assert_eq!(unpaced.time_left(LONGEST, at(2)), Duration::from_secs(3));
        assert_eq!(unpaced.time_left(LONGEST, at(6)), Duration::ZERO);
        let until = Arc::new(AtomicU64::new(0));
        let paced = stream(Some(until.clone()));
        assert_eq!(paced.time_left(LONGEST, at(6)), Duration::ZERO, "its reader has taken nothing");
        until.store(clock::ns_at(at(9)), Ordering::Relaxed);
        assert_eq!(paced.time_left(LONGEST, at(6)), Duration::from_secs(3));
        assert_eq!(paced.time_left(LONGEST, at(10)), Duration::ZERO, "and has stopped");
    }

    #[tokio::test]
    async fn a_piece_pays_for_the_next_one_of_its_own_stream() {
        let rate = MinimumRate { grace: HumanDuration::from_millis(3_000), bytes_per_s: 1_000 };
        // Outside of a stream there is nothing to extend.
        extend_time(&rate, 1_000);
        let until = Arc::new(AtomicU64::new(0));
        let before_ns = clock::now_ns();
        LET_THROUGH_UNTIL_NS.scope(until.clone(), async { extend_time(&rate, 2_000) }).await;
        let left_ns = until.load(Ordering::Relaxed) - before_ns;
        assert!(left_ns >= 5_000_000_000, "three seconds, and two for as many thousand bytes: {left_ns}");
    }
}
