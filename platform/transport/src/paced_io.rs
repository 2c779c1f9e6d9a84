//! A connection that ends when its reader is too slow. hyper has no timeout for writing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use policy::MinimumRate;
use tokio::time::{Instant, Sleep, sleep_until};

/// Any stream; what is written to it must be taken at a minimum rate.
pub(crate) struct PacedIo<T> {
    io: T,
    rate: Option<MinimumRate>,
    /// Lets go of what the reader has not taken.
    abort: fn(&T),
    stall: Option<Stall>,
}

/// Bytes wait for the reader: since when, and how many it has taken since then. Over when none waits.
struct Stall {
    since: Instant,
    taken: u64,
    timer: Pin<Box<Sleep>>,
}

impl<T> PacedIo<T> {
    /// `None` is a stream without a minimum.
    pub fn new(io: T, rate: Option<MinimumRate>, abort: fn(&T)) -> Self {
        Self { io, rate, abort, stall: None }
    }

    /// What comes of a write, unless the reader has had its time.
    fn paced(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(rate) = &self.rate else { return written };
        match (&written, &mut self.stall) {
            (Poll::Ready(Ok(bytes)), Some(stall)) => stall.taken += *bytes as u64,
            (Poll::Ready(_), _) => {}
            (Poll::Pending, stall) => {
                let stall = stall.get_or_insert_with(|| {
                    let since = Instant::now();
                    Stall { since, taken: 0, timer: Box::pin(sleep_until(since)) }
                });
                let until = stall.since + Duration::from_nanos(rate.allowance_ns(stall.taken));
                if stall.timer.deadline() != until {
                    stall.timer.as_mut().reset(until);
                }
                if stall.timer.as_mut().poll(cx).is_ready() {
                    (self.abort)(&self.io);
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        written
    }
}

impl<T: Read + Unpin> Read for PacedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for PacedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.paced(written, cx)
    }

    /// hyper flushes when it has written all it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stall = None;
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
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.paced(written, cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper_util::rt::TokioIo;
    use policy::units::HumanDuration;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    /// A pipe of eight bytes, and a minimum of one byte a second after the first two.
    fn pipe(rate: Option<MinimumRate>) -> (PacedIo<TokioIo<DuplexStream>>, DuplexStream) {
        let (near, far) = duplex(8);
        (PacedIo::new(TokioIo::new(near), rate, |_| ()), far)
    }

    fn a_byte_a_second() -> Option<MinimumRate> {
        Some(MinimumRate { grace: HumanDuration::from_millis(2_000), bytes_per_s: 1 })
    }

    async fn write(io: &mut PacedIo<TokioIo<DuplexStream>>, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| Pin::new(&mut *io).poll_write(cx, bytes)).await?;
            bytes = &bytes[written..];
        }
        poll_fn(|cx| Pin::new(&mut *io).poll_flush(cx)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_read_is_cut_off() {
        let (mut io, _far) = pipe(a_byte_a_second());
        write(&mut io, b"12345678").await.expect("fits");
        let error = write(&mut io, b"9").await.expect_err("nothing is taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_keeps_the_rate_takes_as_long_as_it_likes() {
        let (mut io, mut far) = pipe(a_byte_a_second());
        let reading = async {
            let mut seen = 0;
            while seen < 100 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                seen += far.read(&mut [0; 2]).await.expect("the other end is open");
            }
        };
        // Two bytes a second, fifty seconds in all.
        let (written, ()) = tokio::join!(write(&mut io, &[b'x'; 100]), reading);
        written.expect("never too slow");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_drips_is_cut_off_as_well() {
        let (mut io, mut far) = pipe(a_byte_a_second());
        let reading = async {
            loop {
                tokio::time::sleep(Duration::from_secs(3)).await;
                let _byte = far.read(&mut [0; 1]).await;
            }
        };
        tokio::select! {
            written = write(&mut io, &[b'x'; 100]) => assert!(written.is_err()),
            () = reading => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_minimum_it_waits() {
        let (mut io, _far) = pipe(None);
        let waiting = tokio::time::timeout(Duration::from_secs(3_600), write(&mut io, &[b'x'; 9])).await;
        assert!(waiting.is_err(), "an hour later it still waits");
    }
}
