//! How a client is recognised that speaks HTTP/2 from its first byte, and the answer to it where that version is not served.
//!
//! hyper's HTTP/1 recognises one whose first bytes come in one piece, and ends its connection without a word, which looks to
//! the client like a server that has crashed.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::timeout;

/// The first bytes of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// RFC 9110, section 15.6.6.
const ANSWER: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// How long the client may take to see the answer: what it has sent meanwhile is read, or the kernel would reset the
/// connection and the answer with it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are read for that.
const LINGER_BYTES: usize = 64 * 1024;

/// A connection whose first bytes are passed on once it is certain whether they are those of HTTP/2.
pub(crate) struct PrefaceIo<T> {
    io: T,
    is_certain: bool,
    /// What has been read and not passed on.
    held: BytesMut,
}

impl<T> PrefaceIo<T> {
    /// Passes everything on at once, unless it is to wait for the first bytes of HTTP/2.
    pub fn new(io: T, waits: bool) -> Self {
        Self { io, is_certain: !waits, held: BytesMut::new() }
    }

    /// The same connection from the first byte on, of which these have been read.
    pub fn rewound(mut self, read: Bytes) -> Self {
        let held = std::mem::replace(&mut self.held, read.into());
        self.held.extend_from_slice(&held);
        self
    }
}

impl<T: Read + Unpin> Read for PrefaceIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.is_certain {
            let mut space = [MaybeUninit::uninit(); PREFACE.len()];
            let mut read = ReadBuf::uninit(&mut space[..PREFACE.len() - this.held.len()]);
            ready!(Pin::new(&mut this.io).poll_read(cx, read.unfilled()))?;
            this.held.extend_from_slice(read.filled());
            let may_be = this.held.len() < PREFACE.len() && PREFACE.starts_with(&this.held);
            this.is_certain = read.filled().is_empty() || !may_be;
        }
        if this.held.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let passed = this.held.len().min(buf.remaining());
        buf.put_slice(&this.held[..passed]);
        this.held.advance(passed);
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for PrefaceIo<T> {
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
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

/// Answers 505, and waits for the client to close. A client that has left already makes it fail, which is its own end.
pub(crate) async fn refuse(mut io: impl Read + Write + Unpin) {
    let _ended = timeout(LINGER, async {
        write(&mut io, ANSWER).await?;
        poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await?;
        drain(&mut io).await
    })
    .await;
}

async fn write(io: &mut (impl Write + Unpin), mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match poll_fn(|cx| Pin::new(&mut *io).poll_write(cx, bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// Reads to the end, or as many bytes as may be.
async fn drain(io: &mut (impl Read + Unpin)) -> io::Result<()> {
    let mut left = LINGER_BYTES;
    while left > 0 {
        let mut space = [MaybeUninit::uninit(); 1_024];
        let mut buffer = ReadBuf::uninit(&mut space);
        poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, buffer.unfilled())).await?;
        let read = buffer.filled().len();
        if read == 0 {
            break;
        }
        left = left.saturating_sub(read);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    async fn read(io: &mut PrefaceIo<TokioIo<DuplexStream>>) -> Vec<u8> {
        let mut space = [MaybeUninit::uninit(); 64];
        let mut buffer = ReadBuf::uninit(&mut space);
        poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, buffer.unfilled())).await.expect("open");
        buffer.filled().to_vec()
    }

    fn pipe(waits: bool) -> (PrefaceIo<TokioIo<DuplexStream>>, DuplexStream) {
        let (near, far) = duplex(64);
        (PrefaceIo::new(TokioIo::new(near), waits), far)
    }

    #[tokio::test]
    async fn the_first_bytes_of_http2_come_in_one_piece() {
        let (mut io, mut far) = pipe(true);
        let dripping = async {
            for byte in PREFACE {
                far.write_all(&[*byte]).await.expect("room");
                tokio::task::yield_now().await;
            }
            far.write_all(b"and more").await.expect("room");
        };
        let (first, ()) = tokio::join!(read(&mut io), dripping);
        assert_eq!(first, PREFACE);
        let mut io = io.rewound(Bytes::from(first));
        assert_eq!((read(&mut io).await, read(&mut io).await), (PREFACE.to_vec(), b"and more".to_vec()));
    }

    #[tokio::test]
    async fn anything_else_waits_for_no_more_than_the_first_byte_that_differs() {
        let (mut io, mut far) = pipe(true);
        far.write_all(b"P").await.expect("room");
        far.write_all(b"OST /").await.expect("room");
        assert_eq!(read(&mut io).await, b"POST /");
        drop(far);
        assert_eq!(read(&mut io).await, b"", "its end");
        let (mut io, mut far) = pipe(true);
        far.write_all(&PREFACE[..9]).await.expect("room");
        drop(far);
        assert_eq!(read(&mut io).await, &PREFACE[..9], "and then its end");
    }

    #[tokio::test]
    async fn where_it_is_not_served_nothing_waits() {
        let (mut io, mut far) = pipe(false);
        far.write_all(b"PRI").await.expect("room");
        assert_eq!(read(&mut io).await, b"PRI");
    }
}
