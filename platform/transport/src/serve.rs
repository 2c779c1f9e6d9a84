//! The accept loop, shared by the gateway and the components, and its end.
//!
//! A drain has four steps: the owner of the server reports it to the registry; then
//! [`Server::begin_drain`] keeps accepting and asks every client to close
//! after its answer; then [`Server::finish`] stops accepting and closes idle
//! connections; what is still at work at the deadline is cut off and counted.
//!
//! A client that begins with HTTP/2 gets it where [`Options::http2`] allows it: see [`multiplexed`]. With the feature `tls` a
//! [`Listener`] may have a certificate.

mod listener;
pub mod multiplexed;
mod options;
mod pieced_body;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use runtime::{ShutdownPolicy, Tasks, quiet};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::Body;
use crate::alarm::ConnectionTimer;
use crate::body_budget::{BodyBudget, ClientBodyBudget};
use crate::connections::{ConnectionEntry, Connections, Eviction};
use crate::held_body::HeldBody;
use crate::http2_preface::{self, PrefaceIo};
use crate::paced_io::PacedIo;
use crate::peer::Peer;
use crate::probe::{Probe, ProbedStream};

pub use self::listener::{BindError, Listener, bind};
pub use self::options::{Options, StreamLimits};
pub use crate::connections::ConnectionLimits;

/// Bytes of answers that the kernel holds for one connection: without a bound it would take megabytes
/// for a reader that does not read.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// After a failed accept, and without a place: a lack does not end sooner by asking again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the socket of a connection is kept that got no place among those of its address, or had to leave it: a client
/// that opens them without end would be back in the same moment, and fill the kernel's backlog for all.
const LINGER: Duration = Duration::from_secs(1);
/// Connections that got no place and are kept; beyond them such a one is closed at once.
const MAX_TURNED_AWAY: usize = 1_024;

/// Serves `service` on `listener`, a [`TcpListener`] or one with a certificate, until the server is finished or `tasks` close.
/// An axum router is such a service; so is anything that answers [`Request<Body>`].
///
/// What connections cost is charged to the component in whose scope this is
/// called: enter that of the process's one component, or of the gateway.
pub fn serve<S, B>(tasks: &Tasks, listener: impl Into<Listener>, service: S, options: Options) -> Server
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Unpin
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = listener.into();
    let addr = listener.tcp.local_addr().expect("a bound listener has an address");
    let shared = Arc::new(Shared {
        #[cfg(feature = "tls")]
        tls: listener.tls.map(|tls| tls.acceptor(options.http2.is_some())),
        options,
        draining: AtomicBool::new(false),
        phase: watch::Sender::new(Phase::Open),
        open: AtomicUsize::new(0),
        closed: watch::Sender::new(()),
        connections: Arc::new(Connections::new(options.connection_limits, options.max_connections)),
        replies: BodyBudget::new(options.reply_bytes),
        room: Arc::new(Semaphore::new(options.max_connections)),
        turned_away: Arc::new(Semaphore::new(MAX_TURNED_AWAY)),
    });
    let accepting = accept(tasks.clone(), listener.tcp, service, shared.clone());
    tasks.spawn("transport.accept", ShutdownPolicy::Cancel, accepting);
    Server { addr, shared }
}

/// A running server. Dropping the handle leaves it running.
#[derive(Clone, Debug)]
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// No new connections; the others end with the request under way.
    Closing,
    /// The deadline has passed.
    Cut,
}

#[derive(Debug)]
struct Shared {
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Acceptor>,
    options: Options,
    draining: AtomicBool,
    phase: watch::Sender<Phase>,
    open: AtomicUsize,
    /// Notified when a connection ends.
    closed: watch::Sender<()>,
    connections: Arc<Connections>,
    /// What replies hold.
    replies: BodyBudget,
    room: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
}

impl Server {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Bytes of replies that are held now, on their way to clients.
    pub fn held_reply_bytes(&self) -> u64 {
        self.shared.replies.held()
    }

    /// From now on every answer asks its client to close the connection, so
    /// that pools empty themselves while new connections are still accepted.
    pub fn begin_drain(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }

    /// Drains to the end. Returns how many connections were cut off with a
    /// request under way; 0 is a clean end.
    pub async fn finish(self) -> usize {
        let Options { drain_grace, drain_deadline, .. } = self.shared.options;
        self.begin_drain();
        sleep(drain_grace).await;
        self.shared.phase.send_replace(Phase::Closing);
        let mut closed = self.shared.closed.subscribe();
        let empty = async {
            while self.connections() > 0 {
                closed.changed().await.expect("the sender is ours");
            }
        };
        if timeout(drain_deadline, empty).await.is_ok() {
            return 0;
        }
        let aborted = self.connections();
        self.shared.phase.send_replace(Phase::Cut);
        telemetry::drain_aborted(aborted as u64);
        tracing::warn!(
            aborted,
            "connections had requests under way at the end of the drain, and were cut off"
        );
        aborted
    }
}

async fn accept<S, B>(tasks: Tasks, listener: TcpListener, service: S, shared: Arc<Shared>)
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Unpin
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut phase = shared.phase.subscribe();
    let mut failing = false;
    loop {
        let next = async {
            let permit = room(&shared).await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase > Phase::Open) => return,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Once per episode, or a lack of descriptors would fill the log.
                if !failing {
                    tracing::error!(%error, "cannot accept connections");
                }
                failing = true;
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        failing = false;
        let Some(place) = ConnectionPermit::acquire(&shared, peer.ip(), permit) else {
            turn_away(&tasks, &shared, stream);
            continue;
        };
        let phase = shared.phase.subscribe();
        let connection = connection(tasks.clone(), stream, peer, service.clone(), place, phase);
        // Every task is the top of its own account, as transport until it enters another scope.
        tasks.spawn("transport.connection", ShutdownPolicy::Cancel, connection);
    }
}

/// A place for one more connection. Where there is none, idle ones have to go, also such as are idle later on.
async fn room(shared: &Shared) -> OwnedSemaphorePermit {
    loop {
        if let Ok(permit) = shared.room.clone().try_acquire_owned() {
            return permit;
        }
        shared.connections.make_room();
        if let Ok(permit) = timeout(ACCEPT_PAUSE, shared.room.clone().acquire_owned()).await {
            return permit.expect("never closed");
        }
    }
}

/// Closes a connection whose address has as many as it may, after a while.
fn turn_away(tasks: &Tasks, shared: &Shared, stream: TcpStream) {
    let Ok(kept) = shared.turned_away.clone().try_acquire_owned() else { return };
    tasks.spawn("transport.turned_away", ShutdownPolicy::Cancel, async move {
        sleep(LINGER).await;
        drop((stream, kept));
    });
}

/// Why a connection is not served any further.
enum ConnectionEnd {
    /// Its client has closed it, or cannot be understood.
    Over(hyper::Result<()>),
    /// It asks for nothing, and others need its place.
    Evicted(Eviction),
    /// The server drains.
    Drained,
}

/// A connection's place among those allowed; given back when dropped.
struct ConnectionPermit {
    shared: Arc<Shared>,
    entry: Arc<ConnectionEntry>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionPermit {
    fn acquire(shared: &Arc<Shared>, peer: IpAddr, permit: OwnedSemaphorePermit) -> Option<Self> {
        let entry = Arc::new(shared.connections.enter(peer)?);
        shared.open.fetch_add(1, Ordering::Relaxed);
        Some(Self { shared: shared.clone(), entry, _permit: permit })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        self.shared.closed.send_replace(());
    }
}

/// What the requests of one connection have in common.
struct Client {
    peer: Arc<Peer>,
    /// What replies to it may hold.
    replies: ClientBodyBudget,
    shared: Arc<Shared>,
    /// Requests that have begun.
    started: AtomicU64,
    /// Notified when one has been answered and the server drains.
    leaves: Notify,
}

async fn connection<S, B>(
    tasks: Tasks,
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    place: ConnectionPermit,
    phase: watch::Receiver<Phase>,
) where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Unpin
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Without it the second small answer waits for the ACK of the first: 40 ms. A
    // peer that has left already makes it fail, which the first read shows as well.
    let _left = stream.set_nodelay(true);
    let _left = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
    let Options { read_rate, http2, .. } = place.shared.options;
    let (stream, probe) = ProbedStream::new(stream);
    let io = PacedIo::new(stream, read_rate, ProbedStream::abort);
    #[cfg(feature = "tls")]
    if let Some(tls) = &place.shared.tls {
        let mut phase = phase;
        let Some((io, has_http2)) = secured(tls, io, &place, &mut phase).await else { return };
        let (peer, http2) = (Peer::secured(peer), http2.filter(|_| has_http2));
        // Boxed, so that those without TLS do not have room for it.
        return Box::pin(requests(tasks, io, probe, peer, service, place, phase, http2)).await;
    }
    requests(tasks, io, probe, Peer::new(peer), service, place, phase, http2).await;
}

/// The connection once its handshake is over, and whether the client wants HTTP/2; `None` where it does not come about. Until then
/// it is one of those without a request at work, of which an address has so many.
#[cfg(feature = "tls")]
async fn secured(
    tls: &crate::tls::Acceptor,
    io: PacedIo<ProbedStream>,
    place: &ConnectionPermit,
    phase: &mut watch::Receiver<Phase>,
) -> Option<(crate::tls::TlsIo<PacedIo<ProbedStream>>, bool)> {
    let mut handshake = std::pin::pin!(tls.accept(io));
    let eviction = tokio::select! {
        biased;
        done = &mut handshake => return done,
        eviction = place.entry.evicted() => eviction,
        _ = phase.wait_for(|phase| *phase > Phase::Open) => return None,
    };
    if eviction == Eviction::OfAddress {
        // With its socket, as below.
        let _draining = timeout(LINGER, phase.wait_for(|phase| *phase > Phase::Open)).await;
    }
    None
}

/// Serves the requests of a connection; HTTP/2 within these limits.
#[expect(clippy::too_many_arguments, reason = "the parts of a connection, each used once")]
async fn requests<I, S, B>(
    tasks: Tasks,
    io: I,
    probe: Probe,
    peer: Peer,
    service: S,
    place: ConnectionPermit,
    mut phase: watch::Receiver<Phase>,
    http2: Option<StreamLimits>,
) where
    I: Read + Write + Unpin + Send + 'static,
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Unpin
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Options { header_timeout, body_idle, max_header_bytes, buffer_bytes, drain_grace, .. } =
        place.shared.options;
    let client = Arc::new(Client {
        replies: place.shared.replies.of(peer.addr.ip()),
        peer: Arc::new(peer),
        shared: place.shared.clone(),
        started: AtomicU64::new(0),
        leaves: Notify::new(),
    });
    let (asking, entry) = (client.clone(), place.entry.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        asking.started.fetch_add(1, Ordering::Relaxed);
        let active = entry.begin_request();
        let (mut service, client) = (service.clone(), asking.clone());
        async move {
            let is_multiplexed = request.version() == Version::HTTP_2;
            let request =
                request.map(|body| Body::from_client(body, client.peer.clone()).idle_after(body_idle));
            let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
            let Ok(mut response) = service.call(request).await;
            if client.shared.draining.load(Ordering::Relaxed) {
                if is_multiplexed {
                    client.leaves.notify_one();
                } else {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
            }
            Ok::<_, Infallible>(response.map(|body| HeldBody::new(body, &client.replies).of(active)))
        }
    });
    let stream = PrefaceIo::new(io, http2.is_some());
    let mut connection = http1::Builder::new()
        // Without a timer hyper's timeouts do nothing, and configuring one panics.
        .timer(ConnectionTimer::new())
        .header_read_timeout(header_timeout)
        .max_header_size(max_header_bytes)
        .max_buf_size(buffer_bytes)
        .serve_connection(stream, service);
    // Neither has news but once, and the connection has some with every request.
    let leaving = quiet(async {
        tokio::select! {
            eviction = place.entry.evicted() => ConnectionEnd::Evicted(eviction),
            _ = phase.wait_for(|phase| *phase > Phase::Open) => ConnectionEnd::Drained,
        }
    });
    let end = tokio::select! {
        biased;
        ended = &mut connection => ConnectionEnd::Over(ended),
        end = leaving => end,
    };
    match end {
        // An error is the peer's doing, and hyper has answered it where it can.
        ConnectionEnd::Over(Err(error)) if error.is_parse_version_h2() => {
            let parts = connection.into_parts();
            let Some(limits) = http2 else { return http2_preface::refuse(parts.io).await };
            let io = parts.io.rewound(parts.read_buf);
            return multiplexed::serve(io, parts.service, limits, &tasks, &client, &place, phase).await;
        }
        // A request came in the same moment.
        ConnectionEnd::Evicted(_) if place.entry.is_at_work() => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                _ended = connection => {}
                _ = phase.wait_for(|phase| *phase == Phase::Cut) => {}
            }
            return;
        }
        ConnectionEnd::Over(_) | ConnectionEnd::Evicted(Eviction::OfAll) => return,
        ConnectionEnd::Evicted(Eviction::OfAddress) => {
            // Nothing is held but the socket: what has been read of a header is dropped.
            let _socket = connection.into_parts().io;
            let _draining = timeout(LINGER, phase.wait_for(|phase| *phase > Phase::Open)).await;
            return;
        }
        ConnectionEnd::Drained => {}
    }
    // hyper closes an idle connection at once, also one with a request on it that
    // has not been read yet. Such a request is let in first.
    let before = client.started.load(Ordering::Relaxed);
    probe.ask();
    let mut waiting = None;
    let let_in = poll_fn(|cx| {
        let ended = Pin::new(&mut connection).poll(cx).is_ready();
        let waits = *waiting.get_or_insert_with(|| probe.found_data());
        let begun = client.started.load(Ordering::Relaxed) > before;
        if ended || begun || !waits { Poll::Ready(ended) } else { Poll::Pending }
    });
    tokio::select! {
        ended = let_in => if ended { return },
        _ = phase.wait_for(|phase| *phase == Phase::Cut) => return,
    }
    Pin::new(&mut connection).graceful_shutdown();
    // hyper waits for the first request of a connection that has had none. Such a
    // connection was opened in advance, and there may never be one.
    let unused = async {
        sleep(drain_grace).await;
        if client.started.load(Ordering::Relaxed) > 0 {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ended = connection => {}
        _ = phase.wait_for(|phase| *phase == Phase::Cut) => {}
        () = unused => {}
    }
}
