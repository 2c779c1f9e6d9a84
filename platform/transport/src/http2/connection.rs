//! One connection: the side to open streams on, and the task that moves the bytes of all of them.
//!
//! A task of its own, unlike a connection of HTTP/1: the bytes of many calls come in any order, and none of their
//! tasks may have to wait for another to be polled.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use runtime::{ShutdownPolicy, Tasks, clock, quiet};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::socket::{Socket, SocketProbe};
use super::{CONNECTION_WINDOW_BYTES, MAX_RESPONSE_HEADERS, STREAM_WINDOW_BYTES};

/// A connection waits for its first call: the one that it was made for.
const NEVER_USED: u64 = u64::MAX;

/// An open connection.
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    socket: SocketProbe,
    /// Where it was made to: the endpoint, or a proxy before it.
    pub(super) via: SocketAddr,
    /// Calls under way on it.
    calls: AtomicUsize,
    /// Since when there have been none; [`NEVER_USED`] before the first.
    idle_since_ns: AtomicU64,
    /// It takes no more calls.
    is_closed: Arc<AtomicBool>,
    has_answered: AtomicBool,
}

/// Closes a connection to further calls when its task ends, also by panic or shutdown.
struct CloseGuard(Arc<AtomicBool>);

impl Drop for CloseGuard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Connection {
    /// Begins HTTP/2 on a stream and starts the task that moves its bytes.
    pub(super) async fn start(
        stream: TcpStream,
        via: SocketAddr,
        ping_after: Duration,
        tasks: &Tasks,
    ) -> io::Result<Arc<Self>> {
        let (stream, socket) = Socket::new(stream);
        let (sender, mut driver) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(MAX_RESPONSE_HEADERS)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(|error| error.into_io().unwrap_or_else(|| io::ErrorKind::InvalidData.into()))?;
        let ping = driver.ping_pong().expect("taken once");
        let connection = Arc::new(Self {
            sender,
            socket,
            via,
            calls: AtomicUsize::new(0),
            idle_since_ns: AtomicU64::new(NEVER_USED),
            is_closed: Arc::default(),
            has_answered: AtomicBool::new(false),
        });
        let guard = CloseGuard(connection.is_closed.clone());
        let given_up = quiet(until_unresponsive(Arc::downgrade(&connection), ping, ping_after));
        tasks.spawn_unspanned("transport.http2", ShutdownPolicy::Cancel, async move {
            let _guard = guard;
            tokio::select! {
                biased;
                // An error shows as an error of each call on it.
                _ended = driver => {}
                () = given_up => {}
            }
        });
        Ok(connection)
    }

    /// The side to open streams on.
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    /// Whether it takes further calls.
    pub(super) fn is_usable(&self, via: SocketAddr, now_ns: u64, idle_timeout: Duration) -> bool {
        let idle_since_ns = self.idle_since_ns.load(Ordering::Relaxed);
        let idle_ns = u128::from(now_ns.saturating_sub(idle_since_ns));
        let is_aged = self.calls() == 0 && idle_since_ns != NEVER_USED && idle_ns >= idle_timeout.as_nanos();
        !self.is_closed.load(Ordering::Acquire) && self.via == via && !is_aged
    }

    /// It takes no more calls. Those under way are finished, and then it ends.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Whether the other side has not closed it, by the kernel's word.
    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_open()
    }

    /// How often something has come on it.
    pub(crate) fn reads(&self) -> u64 {
        self.socket.reads()
    }

    /// Whether it has brought a reply: then a failure may only mean that the other side has ended since.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// A reply has begun.
    pub(crate) fn answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// One more call; returns how many there were.
    pub(super) fn begin_call(&self) -> usize {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// One less; returns how many are left.
    pub(super) fn end_call(&self) -> usize {
        let left = self.calls.fetch_sub(1, Ordering::Relaxed) - 1;
        if left == 0 {
            self.idle_since_ns.store(clock::now_ns(), Ordering::Relaxed);
        }
        left
    }
}

/// Resolves when the other side gives no sign of life although calls wait for it, and when none refers to the connection any
/// more: it has had a moment to end by itself then.
async fn until_unresponsive(connection: Weak<Connection>, mut ping: PingPong, after: Duration) {
    let mut reads = 0;
    loop {
        sleep(after).await;
        let Some(connection) = connection.upgrade() else { return };
        let before = std::mem::replace(&mut reads, connection.reads());
        let is_waited_for = connection.calls() > 0;
        drop(connection);
        if is_waited_for
            && before == reads
            && !matches!(timeout(after, ping.ping(Ping::opaque())).await, Ok(Ok(_)))
        {
            return;
        }
    }
}
