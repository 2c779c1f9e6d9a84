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
pub(super) struct PiecedBody<B, F> {
    body: B,
    /// What has come of it and has not been handed out.
    rest: Bytes,
    /// Called with the length of each piece that is handed out.
    let_through: F,
}

impl<B, F: FnMut(u64)> PiecedBody<B, F> {
    pub fn new(body: B, let_through: F) -> Self {
        Self { body, rest: Bytes::new(), let_through }
    }

    fn handed_out(&mut self, piece: Bytes) -> Frame<Bytes> {
        (self.let_through)(piece.len() as u64);
        Frame::data(piece)
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin, F: FnMut(u64) + Unpin> HttpBody for PiecedBody<B, F> {
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
                Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(self.handed_out(data)))),
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(self.handed_out(piece))))
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
    use std::cell::Cell;

    use http_body_util::BodyExt;

    use super::*;
    use crate::Body;

    #[tokio::test]
    async fn it_comes_in_short_frames_and_whole() {
        let whole: Vec<u8> = (0..2 * PIECE_BYTES + 5).map(|at| at as u8).collect();
        let (body, handed_out) = (Body::full(whole.clone()), Cell::new(0));
        let mut body = PiecedBody::new(body, |bytes| handed_out.set(handed_out.get() + bytes));
        let (mut lengths, mut read) = (Vec::new(), Vec::new());
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some((whole.len() - read.len()) as u64));
            let data = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
            lengths.push(data.len());
            read.extend_from_slice(&data);
        }
        let whole_length = whole.len() as u64;
        assert_eq!((lengths, read), (vec![PIECE_BYTES, PIECE_BYTES, 5], whole));
        assert!(body.frame().await.is_none());
        assert_eq!(handed_out.get(), whole_length);
        assert!(PiecedBody::new(Body::empty(), |_| ()).is_end_stream());
    }
}
