//! The connections to one endpoint, which its calls share.
//!
//! A call takes a place first. There are as many as a pool of HTTP/1.1 has connections; calls beyond them wait in order. It
//! then goes on the connection with the fewest, of as many as its edge's policy allows.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared as SharedFuture, WeakShared};
use runtime::cost::{self, Part};
use runtime::{Tasks, clock};
use telemetry::PoolMetrics;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};
use tracing::Instrument;

use super::connection::Connection;
use crate::alarm::Alarm;
use crate::network::Network;
use crate::pool::detours::Detours;
use crate::pool::error::PoolError;
use crate::pool::options::Options;
use crate::pool::waiting::PoolWait;

/// A connection being made, for all calls that wait for it.
type Connecting = BoxFuture<'static, Result<(), ConnectFailure>>;

/// The shared connections to one endpoint.
#[derive(Debug)]
pub struct Channel(Arc<Shared>);

struct Shared {
    addr: SocketAddr,
    detours: Arc<Detours>,
    network: Network,
    options: Options,
    /// One for each call that may be under way.
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    state: Mutex<State>,
    /// Owner of the tasks of its connections.
    tasks: Tasks,
    connects: AtomicU64,
    metrics: PoolMetrics,
}

#[derive(Default)]
struct State {
    /// Those that take calls, oldest first.
    connections: Vec<Arc<Connection>>,
    connecting: Option<WeakShared<Connecting>>,
    /// Alarms of calls that have ended: setting one anew costs less than making one.
    alarms: Vec<Alarm>,
}

/// What a channel is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelStats {
    /// Connections that take calls.
    pub connections: usize,
    /// Calls under way.
    pub calls: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// Connections made since the start.
    pub connects: u64,
}

/// A call's place, and the connection it goes on. Given up when dropped, at the end of the reply.
pub(crate) struct CallPlace {
    pub connection: Arc<Connection>,
    /// Ends the wait for the reply.
    pub alarm: Alarm,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

enum Checkout {
    Use(Arc<Connection>, Alarm),
    Connect(SharedFuture<Connecting>),
}

impl Channel {
    /// A channel without connections.
    pub fn new(
        addr: SocketAddr,
        options: Options,
        metrics: PoolMetrics,
        detours: Arc<Detours>,
        network: Network,
    ) -> Self {
        let places = Arc::new(Semaphore::new(options.max_connections));
        let (waiting, state, tasks, connects) = Default::default();
        let shared =
            Shared { addr, detours, network, options, places, waiting, state, tasks, connects, metrics };
        Self(Arc::new(shared))
    }

    /// A place for a call on one of so many connections, at the latest at `until`.
    pub(crate) async fn begin_call(&self, connections: u32, until: Instant) -> Result<CallPlace, PoolError> {
        let place = self.place(until).await?;
        let mut spare = connections as usize;
        loop {
            match self.checkout(spare) {
                Checkout::Use(connection, alarm) => {
                    self.0.metrics.active.increment(1.0);
                    return Ok(CallPlace { connection, alarm, shared: self.0.clone(), _place: place });
                }
                Checkout::Connect(connecting) => match timeout_at(until.into(), connecting).await {
                    Ok(Ok(())) => {}
                    // Those that are there are better than none.
                    Ok(Err(_)) if self.stats().connections > 0 => spare = self.stats().connections,
                    Ok(Err(failure)) => return Err(PoolError::of_connect(self.0.addr, failure.error())),
                    Err(_) => return Err(PoolError::Late(self.0.addr)),
                },
            }
        }
    }

    async fn place(&self, until: Instant) -> Result<OwnedSemaphorePermit, PoolError> {
        if let Ok(place) = self.0.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _place = WaitingPlace::begin(&self.0)?;
        let _waiting = PoolWait::begin(&self.0.metrics);
        let span = telemetry::wait_span(telemetry::Wait::Pool);
        let place = timeout_at(until.into(), self.0.places.clone().acquire_owned()).instrument(span);
        match cost::part(Part::Queueing, place).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed: only time can have run out.
            Ok(Err(_)) | Err(_) => Err(PoolError::TimedOut),
        }
    }

    fn checkout(&self, connections: usize) -> Checkout {
        let via = self.0.detours.of(self.0.addr);
        let (now_ns, idle_timeout) = (clock::now_ns(), self.0.options.idle_timeout);
        let mut state = self.0.state();
        state.retain(&self.0.metrics, |connection| connection.is_usable(via, now_ns, idle_timeout));
        let known = &state.connections;
        let quietest = known.iter().take(connections).min_by_key(|connection| connection.calls()).cloned();
        let connecting = state.connecting.as_ref().and_then(WeakShared::upgrade);
        let has_room = known.len() < connections && connecting.is_none();
        match quietest {
            // Another is made while there is work for it, and calls that come meanwhile need not wait for it.
            Some(quietest) if !has_room || quietest.calls() == 0 => {
                if quietest.begin_call() == 0 {
                    self.0.metrics.idle.decrement(1.0);
                }
                Checkout::Use(quietest, state.alarms.pop().unwrap_or_default())
            }
            _ => Checkout::Connect(connecting.unwrap_or_else(|| {
                let connecting = connect(self.0.clone()).boxed().shared();
                state.connecting = connecting.downgrade();
                connecting
            })),
        }
    }

    /// Lets go of all connections: the endpoint is leaving. Calls under way are finished.
    pub fn close_idle(&self) {
        self.0.state().retain(&self.0.metrics, |_| false);
    }

    /// What it is doing.
    pub fn stats(&self) -> ChannelStats {
        ChannelStats {
            connections: self.0.state().connections.len(),
            calls: self.0.options.max_connections - self.0.places.available_permits(),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            connects: self.0.connects.load(Ordering::Relaxed),
        }
    }
}

/// Makes a connection, which then takes calls.
async fn connect(shared: Arc<Shared>) -> Result<(), ConnectFailure> {
    let via = shared.detours.of(shared.addr);
    let connecting = async {
        // A refusal takes a round trip as well.
        shared.network.round_trip().await;
        let stream = TcpStream::connect(via).await?;
        // Without it a small request waits for the delayed ACK of the one before: 40 ms.
        stream.set_nodelay(true)?;
        Connection::start(stream, via, shared.options.ping_after, &shared.tasks).await
    };
    let made = timeout(shared.options.connect_timeout, connecting).await;
    let mut state = shared.state();
    // Over: what comes from here on makes one of its own, should this one be of no use.
    state.connecting = None;
    let late = |_| ConnectFailure { kind: ErrorKind::TimedOut, code: None };
    let connection = made.map_err(late)?.map_err(|error| ConnectFailure::of(&error))?;
    shared.connects.fetch_add(1, Ordering::Relaxed);
    shared.metrics.connects.increment(1);
    shared.metrics.idle.increment(1.0);
    state.connections.push(connection);
    Ok(())
}

/// Why a connection was not made, for each of the calls that waited for it.
#[derive(Clone, Copy)]
struct ConnectFailure {
    kind: ErrorKind,
    /// The system's own number, where the error is one of it.
    code: Option<i32>,
}

impl ConnectFailure {
    fn of(error: &io::Error) -> Self {
        Self { kind: error.kind(), code: error.raw_os_error() }
    }

    fn error(self) -> io::Error {
        self.code.map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl State {
    fn retain(&mut self, metrics: &PoolMetrics, keep: impl Fn(&Connection) -> bool) {
        self.connections.retain(|connection| {
            let is_kept = keep(connection);
            if !is_kept && connection.calls() == 0 {
                metrics.idle.decrement(1.0);
            }
            is_kept
        });
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        self.shared.metrics.active.decrement(1.0);
        let mut state = self.shared.state();
        state.alarms.push(std::mem::take(&mut self.alarm));
        if self.connection.end_call() == 0
            && state.connections.iter().any(|known| Arc::ptr_eq(known, &self.connection))
        {
            self.shared.metrics.idle.increment(1.0);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().expect("no panic while held");
        state.retain(&self.metrics, |_| false);
    }
}

/// A call's place among those that wait; given up when dropped.
struct WaitingPlace<'a>(&'a Shared);

impl<'a> WaitingPlace<'a> {
    fn begin(shared: &'a Shared) -> Result<Self, PoolError> {
        let most = shared.options.max_waiting;
        let one_more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        let waiting = shared.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        waiting.map(|_| Self(shared)).map_err(PoolError::Full)
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("addr", &self.addr).finish_non_exhaustive()
    }
}
