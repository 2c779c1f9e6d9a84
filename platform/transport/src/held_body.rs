//! A reply whose bytes are counted from when they are asked for until the socket has taken them.
//!
//! hyper asks for more of a body while it has room to write, and keeps what it was given until the kernel has it. Each
//! piece carries its reservation along. Where there is no room, nothing more is asked for: the wait goes back to
//! the connection that the reply comes from, or to the disk.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body_budget::ClientBodyBudget;
use crate::byte_budget::Reservation;
use crate::connections::ActiveRequest;

/// Longest piece of a reply, bytes: what one read from a connection or from the disk gives.
const PIECE_BYTES: u64 = 64 * 1024;

/// A body, held within a budget.
pub(crate) struct HeldBody<B> {
    body: B,
    /// What the next piece may take.
    room: Reservation,
    /// The request whose reply it is.
    _request: Option<ActiveRequest>,
}

/// A piece on its way to the socket.
struct HeldPiece {
    bytes: Bytes,
    _held: Reservation,
}

impl AsRef<[u8]> for HeldPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<B: HttpBody> HeldBody<B> {
    /// The reply to the client whose budget this is.
    pub fn new(body: B, budget: &ClientBodyBudget) -> Self {
        let is_short = body.size_hint().upper().is_some_and(|length| length <= PIECE_BYTES);
        let room = if is_short { &budget.short } else { &budget.long };
        Self { body, room: room.reserve(), _request: None }
    }

    /// Keeps the request at work until the reply has ended.
    pub fn of(self, request: ActiveRequest) -> Self {
        Self { _request: Some(request), ..self }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for HeldBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if this.room.bytes() == 0 {
            let most = this.body.size_hint().upper().unwrap_or(PIECE_BYTES);
            ready!(this.room.poll_grow(cx, most.min(PIECE_BYTES)));
        }
        let Poll::Ready(polled) = Pin::new(&mut this.body).poll_frame(cx) else {
            // Others need no room that nothing has come for.
            this.room.release();
            return Poll::Pending;
        };
        let hold = |bytes: Bytes| {
            let held = this.room.split(bytes.len() as u64);
            Bytes::from_owner(HeldPiece { bytes, _held: held })
        };
        let answer = polled.map(|frame| frame.map(|frame| frame.map_data(hold)));
        this.room.release();
        Poll::Ready(answer)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::{FutureExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use policy::BodyLimits;

    use super::*;
    use crate::body_budget::BodyBudget;
    use crate::{Body, BodyError};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn budget(in_all: u64) -> BodyBudget {
        BodyBudget::new(BodyLimits { in_all, per_address: None })
    }

    /// A reply of unknown length, in pieces.
    fn long(pieces: usize) -> Body {
        let piece = || Ok::<_, BodyError>(Frame::data(Bytes::from_static(&[0; PIECE_BYTES as usize])));
        Body::other(StreamBody::new(stream::iter((0..pieces).map(move |_| piece()))))
    }

    async fn piece(body: &mut HeldBody<Body>) -> Bytes {
        let frame = body.frame().await.expect("a frame").expect("whole");
        frame.into_data().expect("data")
    }

    #[tokio::test]
    async fn a_piece_is_held_until_it_is_dropped() {
        let budget = budget(4 * PIECE_BYTES);
        let mut body = HeldBody::new(Body::full("hello"), &budget.of(HERE));
        let hello = piece(&mut body).await;
        assert_eq!((hello.as_ref(), budget.short.held()), (&b"hello"[..], 5));
        assert!(body.is_end_stream());
        drop(hello);
        assert_eq!(budget.short.held(), 0);
    }

    #[tokio::test]
    async fn without_room_nothing_more_is_asked_for() {
        // Three of its four pieces are for long replies.
        let budget = budget(4 * PIECE_BYTES);
        let mut body = HeldBody::new(long(5), &budget.of(HERE));
        let (first, _second, _third) =
            (piece(&mut body).await, piece(&mut body).await, piece(&mut body).await);
        assert!(body.frame().now_or_never().is_none(), "the fourth has to wait");
        let mut other = HeldBody::new(Body::full("short"), &budget.of(HERE));
        assert_eq!(piece(&mut other).await, "short", "and keeps no short reply waiting");
        drop(first);
        let _fourth = piece(&mut body).await;
        assert_eq!(budget.long.held(), 3 * PIECE_BYTES);
        drop(body);
    }

    #[tokio::test]
    async fn a_reply_that_does_not_come_holds_nothing() {
        let budget = budget(4 * PIECE_BYTES);
        let silent = Body::other(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyError>>()));
        let mut body = HeldBody::new(silent, &budget.of(HERE));
        assert!(body.frame().now_or_never().is_none());
        assert_eq!(budget.long.held(), 0);
    }

    #[tokio::test]
    async fn what_it_knows_of_its_length_it_reports() {
        let budget = budget(4 * PIECE_BYTES);
        let body = HeldBody::new(Body::full("hello"), &budget.of(HERE));
        assert_eq!(body.size_hint().exact(), Some(5));
        assert!(HeldBody::new(Body::empty(), &budget.of(HERE)).is_end_stream());
        assert_eq!(long(2).collect().await.expect("whole").to_bytes().len(), 2 * PIECE_BYTES as usize);
    }
}
