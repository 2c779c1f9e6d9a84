//! A socket that can be asked what has arrived, without waiting for the reactor to report it.
//!
//! On a busy machine the news that the other side has closed, or has sent
//! something, may wait for milliseconds until the reactor is polled.
//! Meanwhile a request may be written to a closed connection, or a connection
//! with a request on it may be taken for idle and closed. Where a request must
//! not be repeated, the kernel is asked directly: one system call.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::AsyncRead;
use tokio::net::TcpStream;

/// The question and its answer; shared with the side that asks.
#[derive(Clone, Default)]
pub(crate) struct Probe(Arc<Shared>);

struct Shared {
    question: AtomicU8,
    /// Reads since a request was sent whose response has not come; [`NOT_COUNTED`] outside of that.
    reads: AtomicU32,
    /// Bytes of those beyond the first few.
    bytes: AtomicU32,
}

impl Default for Shared {
    fn default() -> Self {
        let (question, reads, bytes) =
            (AtomicU8::new(NOTHING), AtomicU32::new(NOT_COUNTED), AtomicU32::new(0));
        Self { question, reads, bytes }
    }
}

/// No response is waited for.
const NOT_COUNTED: u32 = u32::MAX;
/// A response begins within one read, or a few; what comes in more is counted.
const UNCOUNTED_READS: u32 = 8;
/// Bytes that may come before a response has begun: as long a head as is read, 64 KiB, and 512 interim responses (1xx) of 128
/// bytes. One that reports its progress ten times a second, for as long as a request may take, sends 300; an upstream that
/// sends them without end would keep a thread busy until the deadline.
const MAX_BYTES_BEFORE_RESPONSE: u32 = 128 * 1024;
/// Bytes read at once where they are counted.
const COUNTED_BYTES: usize = 2 * 1024;

const NOTHING: u8 = 0;
const ASKED: u8 = 1;
const DATA: u8 = 2;

impl Probe {
    /// The next read that has nothing to read looks again. An end it finds is read as an end.
    pub fn ask(&self) {
        self.0.question.store(ASKED, Ordering::Relaxed);
    }

    /// Whether it found bytes that the reactor has yet to announce.
    pub fn found_data(&self) -> bool {
        self.0.question.swap(NOTHING, Ordering::Relaxed) == DATA
    }

    /// A request is about to be sent: what comes is counted until its response has begun, and after too much nothing more
    /// is read.
    pub fn begin_response(&self) {
        self.0.bytes.store(0, Ordering::Relaxed);
        self.0.reads.store(0, Ordering::Relaxed);
    }

    /// It has begun.
    pub fn response_begun(&self) {
        self.0.reads.store(NOT_COUNTED, Ordering::Relaxed);
    }

    /// Whether too much came in the place of one.
    pub fn is_flooded(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) > MAX_BYTES_BEFORE_RESPONSE
    }
}

/// A TCP stream with a [`Probe`].
pub(crate) struct ProbedStream {
    io: TokioIo<TcpStream>,
    probe: Probe,
}

impl ProbedStream {
    pub fn new(stream: TcpStream) -> (Self, Probe) {
        let probe = Probe::default();
        (Self { io: TokioIo::new(stream), probe: probe.clone() }, probe)
    }

    /// At its end the connection is reset: the kernel would keep for minutes what its reader has not taken.
    pub fn abort(&self) {
        // Where that is refused it ends as usual.
        let _ = SockRef::from(self.io.inner()).set_linger(Some(std::time::Duration::ZERO));
    }

    /// Reads into memory of its own first: how much hyper was given it does not reveal.
    fn poll_read_counted(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); COUNTED_BYTES];
        let room = buf.remaining().min(COUNTED_BYTES);
        let mut read = tokio::io::ReadBuf::uninit(&mut space[..room]);
        ready!(Pin::new(self.io.inner_mut()).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        self.probe.0.bytes.fetch_add(read.filled().len() as u32, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn peek(&self) -> Poll<io::Result<()>> {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(self.io.inner()).peek(&mut byte) {
            Ok(0) => Poll::Ready(Ok(())),
            Ok(_) => {
                self.probe.0.question.store(DATA, Ordering::Relaxed);
                Poll::Pending
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Read for ProbedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.probe.is_flooded() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let reads = self.probe.0.reads.load(Ordering::Relaxed);
        let read = if (UNCOUNTED_READS..NOT_COUNTED).contains(&reads) {
            self.as_mut().poll_read_counted(cx, buf)
        } else {
            Pin::new(&mut self.io).poll_read(cx, buf)
        };
        if read.is_ready() && reads < UNCOUNTED_READS {
            self.probe.0.reads.store(reads + 1, Ordering::Relaxed);
        }
        let question = &self.probe.0.question;
        let asked =
            || question.compare_exchange(ASKED, NOTHING, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if read.is_pending() && asked() {
            // Nothing filled in is how an end is reported.
            ready!(self.peek())?;
            return Poll::Ready(Ok(()));
        }
        read
    }
}

impl Write for ProbedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs {
            // A head without a body: a list of one costs the kernel more than what is on it.
            [only] => Pin::new(&mut self.io).poll_write(cx, only),
            _ => Pin::new(&mut self.io).poll_write_vectored(cx, bufs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream as Blocking};

    /// Both ends of a connection. Nothing below awaits, so the reactor never gets a turn.
    async fn ends() -> (ProbedStream, Probe, Blocking) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let near = TcpStream::connect(addr).await.expect("it listens");
        let (far, _) = listener.accept().expect("connected");
        let (near, probe) = ProbedStream::new(near);
        (near, probe, far)
    }

    fn read(stream: &mut ProbedStream) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); 8];
        let mut buf = hyper::rt::ReadBuf::uninit(&mut space);
        let read =
            Pin::new(stream).poll_read(&mut Context::from_waker(std::task::Waker::noop()), buf.unfilled());
        read.map_ok(|()| buf.filled().len())
    }

    #[tokio::test]
    async fn an_end_is_seen_before_the_reactor_reports_it() {
        let (mut near, probe, far) = ends().await;
        assert!(read(&mut near).is_pending());
        drop(far);
        assert!(read(&mut near).is_pending(), "the reactor has not been asked");
        // It crosses loopback in its own time, on which no reactor has an influence.
        let mut end = Poll::Pending;
        while end.is_pending() {
            probe.ask();
            end = read(&mut near);
        }
        assert!(matches!(end, Poll::Ready(Ok(0))));
    }

    #[tokio::test]
    async fn a_list_of_one_and_a_longer_one_are_written_alike() {
        let (mut near, _probe, mut far) = ends().await;
        let lists: [&[&[u8]]; 2] = [&[b"head"], &[b"head", b"body"]];
        for list in lists {
            let slices: Vec<_> = list.iter().map(|bytes| io::IoSlice::new(bytes)).collect();
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let written = Pin::new(&mut near).poll_write_vectored(&mut cx, &slices);
            let expected = list.concat();
            assert!(matches!(written, Poll::Ready(Ok(bytes)) if bytes == expected.len()));
            let mut read = vec![0; expected.len()];
            far.read_exact(&mut read).expect("it was written");
            assert_eq!(read, expected);
        }
    }

    #[tokio::test]
    async fn data_is_seen_and_left_to_be_read() {
        let (mut near, probe, mut far) = ends().await;
        assert!(read(&mut near).is_pending());
        probe.ask();
        assert!(read(&mut near).is_pending() && !probe.found_data());
        far.write_all(b"text").expect("written");
        while !probe.found_data() {
            probe.ask();
            assert!(read(&mut near).is_pending(), "it is left there");
        }
        near.io.inner().readable().await.expect("announced in the end");
        assert!(matches!(read(&mut near), Poll::Ready(Ok(4))));
    }
}
