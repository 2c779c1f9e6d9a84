//! A body in pieces of a frame: a stream hands out what its client has let through, and not all there is.
//!
//! hyper asks for more of a body when the window of its stream is open, whatever its width, and then keeps what it is given
//! until the client has let it through. A whole reply would be kept without a bound for a client that lets nothing through.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// Longest piece, bytes: the longest frame that a client takes unless it asks for more (RFC 9113, section 4.2).
const PIECE_BYTES: usize = 16 * 1024;

/// A body whose frames are short.
pub(super) struct PiecedBody<B> {
    body: B,
    /// What has come of it and has not been handed out.
    rest: Bytes,
}

impl<B> PiecedBody<B> {
    pub fn new(body: B) -> Self {
        Self { body, rest: Bytes::new() }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for PiecedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if data.len() > PIECE_BYTES => self.rest = data,
                Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, inner) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + left);
        }
        hint.set_lower(inner.lower() + left);
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::Body;

    #[tokio::test]
    async fn it_comes_in_short_frames_and_whole() {
        let whole: Vec<u8> = (0..2 * PIECE_BYTES + 5).map(|at| at as u8).collect();
        let mut body = PiecedBody::new(Body::full(whole.clone()));
        let (mut lengths, mut read) = (Vec::new(), Vec::new());
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some((whole.len() - read.len()) as u64));
            let data = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
            lengths.push(data.len());
            read.extend_from_slice(&data);
        }
        assert_eq!((lengths, read), (vec![PIECE_BYTES, PIECE_BYTES, 5], whole));
        assert!(body.frame().await.is_none());
        assert!(PiecedBody::new(Body::empty()).is_end_stream());
    }
}
