//! HTTP/1.1 connections to one endpoint, kept between requests.
//!
//! The most recently used connection goes first, so that the rest can age out.
//! A connection has no task of its own: the request that waits for its bytes moves them,
//! which saves two task switches a request and charges the work to the request.

pub(crate) mod detours;
pub(crate) mod error;
mod open_connection;
pub(crate) mod options;
mod slot;
pub(crate) mod waiting;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::Builder;
use runtime::clock;
use runtime::cost::{self, Part};
use telemetry::PoolMetrics;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tracing::Instrument;

pub use self::detours::Detours;
pub use self::error::PoolError;
use self::open_connection::{Driver, OpenConnection};
pub use self::options::Options;
use self::slot::{ConnectionSlot, StreamingSlot};
use self::waiting::PoolWait;
use crate::Body;
use crate::alarm::Alarm;
use crate::network::Network;
use crate::probe::ProbedStream;

/// Largest header block an upstream may answer with, bytes.
const MAX_RESPONSE_HEADERS: usize = 64 * 1024;
/// Read buffer of a connection, bytes: what it holds of an answer whose reader is slow.
const BUFFER: usize = 64 * 1024;

/// What a pool is doing, for gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Connections without a request.
    pub idle: usize,
    /// Connections with one, or being made.
    pub active: usize,
    /// Requests without a connection.
    pub waiting: usize,
    /// Connections made since the start.
    pub connects: u64,
    /// Requests that found one ready.
    pub reused: u64,
}

/// The connections to one endpoint.
#[derive(Debug)]
pub struct Pool(Arc<Shared>);

struct Shared {
    addr: SocketAddr,
    detours: Arc<Detours>,
    network: Network,
    options: Options,
    state: Mutex<State>,
    connects: AtomicU64,
    reused: AtomicU64,
    metrics: PoolMetrics,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    idle: Vec<Idle>,
    /// Idle, in use and being made.
    open: usize,
    /// In use by long answers, and not among `open`.
    streaming: usize,
    waiting: VecDeque<oneshot::Sender<Grant>>,
}

struct Idle {
    open: Box<OpenConnection>,
    since: Instant,
}

/// What a waiting request gets: a connection, or leave to make one.
enum Grant {
    Connection(PooledConnection),
    Slot(ConnectionSlot),
}

enum CheckoutStep {
    Try(PooledConnection),
    Connect(ConnectionSlot),
    Wait(oneshot::Receiver<Grant>),
}

/// A connection in use by one request. Dropped, it is closed: whatever was on
/// it is not finished.
pub(crate) struct PooledConnection {
    open: Box<OpenConnection>,
    slot: ConnectionSlot,
    /// A long answer is under way: the slot has been given back.
    streaming: Option<StreamingSlot>,
    reused: bool,
}

impl Pool {
    /// An empty pool.
    pub fn new(
        addr: SocketAddr,
        options: Options,
        metrics: PoolMetrics,
        detours: Arc<Detours>,
        network: Network,
    ) -> Self {
        let (state, connects, reused) = Default::default();
        Self(Arc::new(Shared { addr, detours, network, options, state, connects, reused, metrics }))
    }

    /// A connection, at the latest at `until`. `sure` asks the kernel whether a
    /// kept one is still open: for requests that must not be sent twice.
    pub(crate) async fn checkout(&self, until: Instant, sure: bool) -> Result<PooledConnection, PoolError> {
        loop {
            let mut pooled = match self.step(false)? {
                CheckoutStep::Try(pooled) => pooled,
                CheckoutStep::Connect(slot) => return self.connect(slot, until).await,
                CheckoutStep::Wait(turn) => match self.wait(turn, until).await? {
                    Grant::Connection(pooled) => pooled,
                    Grant::Slot(slot) => return self.connect(slot, until).await,
                },
            };
            if pooled.is_alive(sure).await {
                self.0.reused.fetch_add(1, Ordering::Relaxed);
                return Ok(pooled);
            }
        }
    }

    /// A new connection, after one of the kept ones turned out
    /// to be dead: the endpoint has restarted or tidied up, so the others are closed.
    pub(crate) async fn connect_new(&self, until: Instant) -> Result<PooledConnection, PoolError> {
        let slot = match self.step(true)? {
            CheckoutStep::Try(pooled) => pooled.slot,
            CheckoutStep::Connect(slot) => slot,
            CheckoutStep::Wait(turn) => match self.wait(turn, until).await? {
                Grant::Connection(pooled) => pooled.slot,
                Grant::Slot(slot) => slot,
            },
        };
        self.connect(slot, until).await
    }

    fn step(&self, anew: bool) -> Result<CheckoutStep, PoolError> {
        let _closed_outside_the_lock;
        let mut state = self.0.state.lock().expect("no panic while held");
        let youngest = state.idle.pop();
        match youngest {
            Some(Idle { open, since })
                if !anew
                    && clock::now() - since < self.0.options.idle_timeout
                    && open.via == self.0.detours.of(self.0.addr) =>
            {
                self.0.metrics.idle.decrement(1.0);
                Ok(CheckoutStep::Try(PooledConnection {
                    open,
                    slot: self.0.slot(),
                    streaming: None,
                    reused: true,
                }))
            }
            youngest => {
                // The youngest was too old or goes another way, hence all do.
                let closed = state.idle.len() + usize::from(youngest.is_some());
                state.open -= closed;
                self.0.metrics.idle.decrement(closed as f64);
                _closed_outside_the_lock = (youngest, std::mem::take(&mut state.idle));
                if state.open < self.0.options.max_connections {
                    state.open += 1;
                    return Ok(CheckoutStep::Connect(self.0.slot()));
                }
                state.waiting.retain(|waiter| !waiter.is_closed());
                if state.waiting.len() >= self.0.options.max_waiting {
                    return Err(PoolError::Full(state.waiting.len()));
                }
                let (grant, turn) = oneshot::channel();
                state.waiting.push_back(grant);
                Ok(CheckoutStep::Wait(turn))
            }
        }
    }

    async fn connect(&self, slot: ConnectionSlot, until: Instant) -> Result<PooledConnection, PoolError> {
        let addr = self.0.addr;
        let via = self.0.detours.of(addr);
        let refused = |source| PoolError::of_connect(addr, source);
        let given = clock::now() + self.0.options.connect_timeout;
        let late = || if until < given { PoolError::Late(addr) } else { refused(ErrorKind::TimedOut.into()) };
        let connecting = async {
            // A refusal takes a round trip as well.
            self.0.network.round_trip().await;
            TcpStream::connect(via).await
        };
        let connected = timeout_at(until.min(given).into(), connecting).await;
        let stream = connected.map_err(|_| late())?.map_err(refused)?;
        // Without it a small request waits for the delayed ACK of the one before: 40 ms.
        stream.set_nodelay(true).map_err(refused)?;
        let (stream, probe) = ProbedStream::new(stream);
        let (sender, connection) = Builder::new()
            .max_header_size(MAX_RESPONSE_HEADERS)
            .max_buf_size(BUFFER)
            .handshake(stream)
            .await
            .map_err(|source| PoolError::Handshake { addr, source })?;
        self.0.connects.fetch_add(1, Ordering::Relaxed);
        self.0.metrics.connects.increment(1);
        let (alarm, driver) = (Alarm::default(), Driver::new(connection));
        let open = Box::new(OpenConnection { sender, probe, alarm, via, driver });
        Ok(PooledConnection { open, slot, streaming: None, reused: false })
    }

    async fn wait(&self, turn: oneshot::Receiver<Grant>, until: Instant) -> Result<Grant, PoolError> {
        let _waiting = PoolWait::begin(&self.0.metrics);
        let span = telemetry::wait_span(telemetry::Wait::Pool);
        let turn = timeout_at(until.into(), turn).instrument(span);
        match cost::part(Part::Queueing, turn).await {
            Ok(Ok(grant)) => Ok(grant),
            // The sender lives in the pool, which we hold: only time can have run out.
            Ok(Err(_)) | Err(_) => Err(PoolError::TimedOut),
        }
    }

    /// Closes what is idle: the endpoint is leaving.
    pub fn close_idle(&self) {
        let mut state = self.0.state.lock().expect("no panic while held");
        let idle = std::mem::take(&mut state.idle);
        state.open -= idle.len();
        self.0.metrics.idle.decrement(idle.len() as f64);
        drop(state);
    }

    /// What it is doing.
    pub fn stats(&self) -> PoolStats {
        let state = self.0.state.lock().expect("no panic while held");
        PoolStats {
            idle: state.idle.len(),
            active: state.open - state.idle.len(),
            waiting: state.waiting.len(),
            connects: self.0.connects.load(Ordering::Relaxed),
            reused: self.0.reused.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    /// One of the connections counted in `open`, in use.
    fn slot(self: &Arc<Self>) -> ConnectionSlot {
        self.metrics.active.increment(1.0);
        ConnectionSlot(Some(self.clone()))
    }
}

impl PooledConnection {
    /// Whether it had a request before: then a failure may only mean that the
    /// other side closed it meanwhile.
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Whether the endpoint sent interim responses without end in the place of one.
    pub fn is_flooded(&self) -> bool {
        self.open.probe.is_flooded()
    }

    /// Sends a request and waits for the head of its response; `None` where none has come by `until`.
    pub async fn send(
        &mut self,
        request: Request<Body>,
        until: Instant,
    ) -> Option<Result<Response<Incoming>, TrySendError<Request<Body>>>> {
        let OpenConnection { sender, driver, probe, alarm, .. } = &mut *self.open;
        probe.begin_response();
        driver.begin();
        let mut response = pin!(sender.try_send_request(request));
        let exchange = poll_fn(|cx| driver.poll_with(cx, |cx| response.as_mut().poll(cx)));
        let answered = alarm.before(until, exchange).await;
        if matches!(answered, Some(Ok(_))) {
            probe.response_begun();
        }
        answered
    }

    /// A long answer begins: the place in the pool goes to another request. At its end the connection comes back if there
    /// is room. False where as many long answers are under way as may be.
    pub fn begin_streaming(&mut self) -> bool {
        let Some(shared) = self.slot.0.clone() else { return true };
        let mut state = shared.state.lock().expect("no panic while held");
        if state.streaming >= shared.options.max_streaming {
            return false;
        }
        state.streaming += 1;
        drop(state);
        self.streaming = Some(StreamingSlot(shared));
        self.slot = ConnectionSlot(None);
        true
    }

    /// A place in the pool again, after a long answer.
    fn end_streaming(&mut self) {
        let Some(StreamingSlot(shared)) = &self.streaming else { return };
        let mut state = shared.state.lock().expect("no panic while held");
        if state.open < shared.options.max_connections {
            state.open += 1;
            drop(state);
            self.slot = shared.slot();
        } else {
            drop(state);
        }
        self.streaming = None;
    }

    /// Moves bytes, both ways.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        self.open.driver.drive(cx);
    }

    /// Polls a part of the response, and moves bytes for it.
    pub fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        waiting: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.open.driver.poll_with(cx, waiting)
    }

    /// The response has ended: keeps the connection for the next request, if it is good for one.
    pub fn finish(mut self, cx: &mut Context<'_>) {
        // What brought the end of the response may have left it ready.
        if !self.is_ready() {
            self.drive(cx);
        }
        if self.is_ready() {
            self.give_back();
        }
    }

    /// Whether it can still take a request. `sure` asks the kernel whether the other side has closed it.
    pub async fn is_alive(&mut self, sure: bool) -> bool {
        if sure {
            self.open.probe.ask();
        }
        poll_fn(|cx| {
            if sure || self.open.driver.has_news() {
                self.drive(cx);
            }
            Poll::Ready(self.is_ready())
        })
        .await
    }

    fn is_ready(&self) -> bool {
        !self.open.driver.is_ended && self.open.sender.is_ready()
    }

    fn give_back(mut self) {
        self.end_streaming();
        let Some(shared) = self.slot.0.clone() else { return };
        let mut stale = Vec::new();
        loop {
            let mut state = shared.state.lock().expect("no panic while held");
            let Some(waiter) = state.waiting.pop_front() else {
                let now = clock::now();
                let aged = |idle: &Idle| now - idle.since >= shared.options.idle_timeout;
                let young = state.idle.iter().position(|idle| !aged(idle)).unwrap_or(state.idle.len());
                stale.extend(state.idle.drain(..young));
                state.open -= stale.len();
                shared.metrics.idle.increment(1.0 - stale.len() as f64);
                shared.metrics.active.decrement(1.0);
                let Self { open, mut slot, .. } = self;
                slot.0 = None;
                state.idle.push(Idle { open, since: now });
                break;
            };
            drop(state);
            self.reused = true;
            match waiter.send(Grant::Connection(self)) {
                Ok(()) => break,
                // It gave up meanwhile; the next one, then.
                Err(Grant::Connection(pooled)) => self = pooled,
                Err(Grant::Slot(_)) => break,
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().expect("no panic while held");
        self.metrics.idle.decrement(state.idle.len() as f64);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("addr", &self.addr).finish_non_exhaustive()
    }
}
