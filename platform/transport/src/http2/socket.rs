//! The socket of a shared connection: its task reads and writes, and a call asks whether it is still open.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket, as the task that moves its bytes has it. Closed with it.
pub(super) struct Socket {
    /// Locked for the length of one system call.
    stream: Arc<Mutex<TcpStream>>,
    reads: Arc<AtomicU64>,
}

/// The same, as the calls on it see it.
pub(super) struct SocketProbe {
    stream: Weak<Mutex<TcpStream>>,
    reads: Arc<AtomicU64>,
}

impl Socket {
    pub fn new(stream: TcpStream) -> (Self, SocketProbe) {
        let (stream, reads) = (Arc::new(Mutex::new(stream)), Arc::<AtomicU64>::default());
        let probe = SocketProbe { stream: Arc::downgrade(&stream), reads: reads.clone() };
        (Self { stream, reads }, probe)
    }

    fn stream(&self) -> MutexGuard<'_, TcpStream> {
        self.stream.lock().expect("no panic while held")
    }
}

impl SocketProbe {
    /// Asks the kernel whether the other side has closed it, which the reactor may yet have to report: one system call.
    pub fn is_open(&self) -> bool {
        let Some(stream) = self.stream.upgrade() else { return false };
        let stream = stream.lock().expect("no panic while held");
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&*stream).peek(&mut byte) {
            Ok(read) => read > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// How often something has come. The same number twice is silence in between.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut *self.stream()).poll_read(cx, buf);
        if read.is_ready() {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream()).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn an_end_is_seen_before_the_reactor_reports_it() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let (mut far, _) = listener.accept().expect("connected");
        let (mut socket, probe) = Socket::new(near);
        assert!(probe.is_open());
        far.write_all(b"text").expect("written");
        assert!(probe.is_open() && probe.reads() == 0);
        let mut text = [0; 4];
        socket.read_exact(&mut text).await.expect("four bytes");
        assert_eq!((&text, probe.reads()), (b"text", 1));
        drop(far);
        // Nothing is awaited meanwhile; the end crosses loopback in its own time.
        while probe.is_open() {
            std::thread::yield_now();
        }
    }
}
