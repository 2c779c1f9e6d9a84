//! A request's body on its way through: small ones are kept for another try, large ones stream.
//!
//! A stream is lent, not given: while none of it has been read, it can be lent
//! again, so an upload survives a connection that was refused.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout_at;
use transport::{Body, BodyError};

/// What is wrong with a body, by the client's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFailure {
    /// More bytes than the route takes.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// It broke off, or its framing is wrong.
    Broken,
}

impl From<&BodyError> for BodyFailure {
    fn from(error: &BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge,
            BodyError::Idle(_) => Self::TooSlow,
            BodyError::Broken(_) => Self::Broken,
        }
    }
}

/// A body, to be sent once or more often.
pub(crate) enum RequestBody {
    /// All of it is here.
    Whole(Bytes),
    /// It passes through.
    Stream(Arc<SharedStream>),
}

pub(crate) struct SharedStream {
    /// What was read before the body turned out to be long.
    start: Mutex<Option<(Bytes, Body)>>,
    size: SizeHint,
    ended: AtomicBool,
    failure: Mutex<Option<BodyFailure>>,
}

impl RequestBody {
    /// Reads up to `keep` bytes; a longer body becomes a stream that begins with them.
    pub async fn take(mut body: Body, keep: u64, until: Instant) -> Result<Self, BodyFailure> {
        let size = body.size_hint();
        if body.is_end_stream() {
            return Ok(Self::Whole(Bytes::new()));
        }
        if size.lower() > keep {
            return Ok(Self::stream(Bytes::new(), body, size));
        }
        let mut kept = Bytes::new();
        loop {
            let frame = timeout_at(until.into(), body.frame()).await.map_err(|_| BodyFailure::TooSlow)?;
            let Some(frame) = frame else { return Ok(Self::Whole(kept)) };
            // Trailers of a request that is kept whole are not passed on.
            let Ok(data) = frame.map_err(|error| BodyFailure::from(&error))?.into_data() else { continue };
            kept = joined(kept, data);
            if kept.len() as u64 > keep {
                return Ok(Self::stream(kept, body, size));
            }
        }
    }

    fn stream(kept: Bytes, body: Body, size: SizeHint) -> Self {
        Self::Stream(Arc::new(SharedStream {
            start: Mutex::new(Some((kept, body))),
            size,
            ended: AtomicBool::new(false),
            failure: Mutex::default(),
        }))
    }

    /// The body for one try; `None` when it has been read from before.
    pub fn lend(&self) -> Option<Body> {
        match self {
            Self::Whole(bytes) => Some(Body::full(bytes.clone())),
            Self::Stream(stream) if stream.is_untouched() => {
                Some(Body::other(LentStream { stream: stream.clone(), kept: Bytes::new(), rest: None }))
            }
            Self::Stream(_) => None,
        }
    }

    /// Whether it can be sent as often as one likes.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Whether it can be sent for the first time.
    pub fn is_untouched(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Stream(stream) => stream.is_untouched(),
        }
    }

    /// What the client did wrong while its body was passing through. One that
    /// was not through when `late` is to blame for that.
    pub fn failure(&self, late: bool) -> Option<BodyFailure> {
        let Self::Stream(stream) = self else { return None };
        let failure = *stream.failure.lock().expect("no panic while held");
        let stuck = late && !stream.is_untouched() && !stream.ended.load(Ordering::Acquire);
        failure.or(stuck.then_some(BodyFailure::TooSlow))
    }
}

fn joined(kept: Bytes, data: Bytes) -> Bytes {
    if kept.is_empty() {
        return data;
    }
    let mut both = BytesMut::from(kept);
    both.extend_from_slice(&data);
    both.freeze()
}

impl SharedStream {
    fn is_untouched(&self) -> bool {
        self.start.lock().expect("no panic while held").is_some()
    }
}

/// The stream in the hands of one try, taken over with the first read.
struct LentStream {
    stream: Arc<SharedStream>,
    kept: Bytes,
    rest: Option<Body>,
}

impl HttpBody for LentStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some((kept, rest)) = this.stream.start.lock().expect("no panic while held").take() {
            (this.kept, this.rest) = (kept, Some(rest));
        }
        if !this.kept.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.kept)))));
        }
        let Some(rest) = &mut this.rest else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *rest).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => this.stream.ended.store(rest.is_end_stream(), Ordering::Release),
            None => this.stream.ended.store(true, Ordering::Release),
            Some(Err(error)) => {
                *this.stream.failure.lock().expect("no panic while held") = Some(error.into())
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.kept.is_empty() && self.rest.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            // hyper reads it before the first byte, to frame the request.
            None => self.stream.size,
            Some(rest) => {
                let mut hint = SizeHint::new();
                let kept = self.kept.len() as u64;
                hint.set_lower(kept + rest.size_hint().lower());
                if let Some(upper) = rest.size_hint().upper() {
                    hint.set_upper(kept + upper);
                }
                hint
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;
    use http_body_util::StreamBody;
    use runtime::clock;

    use super::*;

    /// A body of unknown length, in pieces.
    fn chunked(pieces: &[&'static str]) -> Body {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from_static(piece.as_bytes()))))
            .collect();
        Body::other(StreamBody::new(stream::iter(frames)))
    }

    async fn take(body: Body, keep: u64) -> Result<RequestBody, BodyFailure> {
        RequestBody::take(body, keep, clock::now() + Duration::from_secs(10)).await
    }

    async fn read(body: &RequestBody) -> Option<Bytes> {
        Some(body.lend()?.bytes(100).await.expect("whole"))
    }

    #[tokio::test]
    async fn a_small_body_is_sent_as_often_as_one_likes() {
        for body in [Body::full("hello"), chunked(&["he", "llo"]), chunked(&["hello"])] {
            let body = take(body, 5).await.expect("small");
            assert!(body.is_whole());
            assert_eq!(read(&body).await.as_deref(), Some(&b"hello"[..]));
            assert_eq!(read(&body).await.as_deref(), Some(&b"hello"[..]));
        }
    }

    #[tokio::test]
    async fn a_large_body_is_lent_again_until_it_is_read() {
        for body in [Body::full("hello!"), chunked(&["he", "llo!"]), chunked(&["h", "ello", "!"])] {
            let body = take(body, 5).await.expect("not too large");
            assert!(!body.is_whole());
            drop(body.lend().expect("untouched"));
            assert_eq!(body.failure(true), None, "none of it was read yet");
            assert_eq!(read(&body).await.as_deref(), Some(&b"hello!"[..]));
            assert!(body.lend().is_none());
            assert_eq!(body.failure(true), None, "it came through");
        }
    }

    #[tokio::test]
    async fn a_known_length_stays_known() {
        let body = take(Body::full("hello!"), 5).await.expect("not too large");
        assert_eq!(body.lend().expect("untouched").size_hint().exact(), Some(6));
    }

    #[tokio::test]
    async fn too_much_is_noticed_while_reading_and_while_streaming() {
        assert_eq!(take(chunked(&["hell", "o!"]).limited(4), 5).await.err(), Some(BodyFailure::TooLarge));
        let body = take(chunked(&["hello!", "!!"]).limited(7), 5).await.expect("the first piece fits");
        assert!(body.lend().expect("untouched").bytes(100).await.is_err());
        assert_eq!(body.failure(false), Some(BodyFailure::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_to_blame() {
        let silent = || Body::other(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyError>>()));
        assert_eq!(take(silent(), 5).await.err(), Some(BodyFailure::TooSlow));
    }
}
