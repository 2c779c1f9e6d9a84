//! A body of known length that comes in pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};

/// The pieces of a stream. One that ends before its length is an error, so that half of it never looks whole.
pub struct SizedBody<S> {
    stream: S,
    left: u64,
}

impl<S> SizedBody<S> {
    /// A body of `length` bytes.
    pub const fn new(length: u64, stream: S) -> Self {
        Self { stream, left: length }
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Body for SizedBody<S> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            Some(Ok(piece)) if piece.len() as u64 <= self.left => {
                self.left -= piece.len() as u64;
                Some(Ok(Frame::data(piece)))
            }
            Some(Err(error)) => Some(Err(error)),
            None if self.left == 0 => None,
            Some(Ok(_)) | None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        };
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;

    use super::*;

    async fn read(length: u64, pieces: &[&'static str]) -> Result<Bytes, io::Error> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        let body = SizedBody::new(length, stream::iter(pieces));
        assert_eq!(body.size_hint().exact(), Some(length));
        Ok(body.collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn it_is_as_long_as_announced_or_an_error() {
        assert_eq!(read(5, &["he", "llo"]).await.expect("whole"), "hello");
        assert_eq!(read(0, &[]).await.expect("whole"), "");
        assert!(read(6, &["he", "llo"]).await.is_err());
        assert!(read(4, &["he", "llo"]).await.is_err());
    }
}
