//! One body for requests and responses: counts, limits, ends, and gives back what it holds.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http2::reply::ReplyStream;
use crate::peer::Peer;
use crate::pool::PooledConnection;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body beyond this many bytes, or of unknown length, takes as long as its reader likes.
const LONG_BYTES: u64 = 64 * 1024;

/// Whether a body takes as long as its reader likes.
pub(crate) fn is_long(body: &impl HttpBody) -> bool {
    body.size_hint().exact().is_none_or(|length| length > LONG_BYTES)
}

/// A request's or response's body. It may hold a pooled connection, which goes
/// back at the end of the body and is closed if the body is dropped before,
/// and guards, which are dropped at the same moment: in-flight counts and
/// permits live here, not in the handler's future.
pub struct Body {
    inner: Inner,
    seen: u64,
    limit: u64,
    /// Whose request it belongs to.
    peer: Option<Arc<Peer>>,
    /// Apart: a body is moved dozens of times on its way, and most of this not looked at once.
    attached: Option<Box<Attached>>,
}

/// What a body holds, and what ends it early.
#[derive(Default)]
struct Attached {
    wait: Option<Wait>,
    /// Why it has ended, to be reported when it is asked next.
    failure: Option<BodyError>,
    pooled: Option<PooledConnection>,
    guard: Option<Box<dyn Any + Send>>,
}

enum Inner {
    Empty,
    Full(Bytes),
    Incoming(Incoming),
    Stream(ReplyStream),
    Other(UnsyncBoxBody<Bytes, BoxError>),
}

/// Ends a body whose other side sends nothing. hyper has no such timeout.
#[derive(Default)]
struct Wait {
    /// Longest silence.
    idle: Option<Duration>,
    /// How long it may be waited for from here on, all silences together.
    left: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the present silence began.
    since: Option<Instant>,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed: 413.
    #[error("the body is longer than {0} bytes")]
    TooLarge(u64),
    /// The other side fell silent: 408 for requests.
    #[error("nothing came for {0:?}")]
    Idle(Duration),
    /// It came, and too slowly to be whole in time.
    #[error("the rest did not come in time")]
    Late,
    /// The connection broke, or framing did.
    #[error("the body broke off")]
    Broken(#[source] BoxError),
}

impl BodyError {
    /// The body error behind an error of hyper or axum, if that is what it was.
    pub fn behind<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

impl Body {
    fn of(inner: Inner) -> Self {
        Self { inner, seen: 0, limit: u64::MAX, peer: None, attached: None }
    }

    fn attached(&mut self) -> &mut Attached {
        self.attached.get_or_insert_default()
    }

    /// No bytes.
    pub fn empty() -> Self {
        Self::of(Inner::Empty)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self::of(Inner::Full(bytes)) }
    }

    /// Any other body.
    pub fn other<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::of(Inner::Other(body.map_err(Into::into).boxed_unsync()))
    }

    /// One that breaks off before its first byte.
    pub fn failed(why: BodyError) -> Self {
        Self::other(StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(why)])))
    }

    /// At most `bytes`; more is an error, a declared length before anything is read.
    #[must_use]
    pub fn limited(mut self, bytes: u64) -> Self {
        self.limit = self.limit.min(bytes);
        self
    }

    /// An error when nothing comes for `after`.
    #[must_use]
    pub fn idle_after(mut self, after: Duration) -> Self {
        if !self.is_end_stream() {
            self.attached().wait.get_or_insert_default().idle = Some(after);
        }
        self
    }

    /// An error once it has been waited for so long, all silences together. A reader that
    /// takes its time does not shorten it: what is here already was not waited for.
    #[must_use]
    pub fn waits_at_most(mut self, left: Duration) -> Self {
        if !self.is_end_stream() {
            self.attached().wait.get_or_insert_default().left = Some(left);
        }
        self
    }

    /// Keeps `guard` until the body has ended, one way or the other.
    #[must_use]
    pub fn guarded(mut self, guard: impl Any + Send) -> Self {
        let attached = self.attached();
        attached.guard = Some(match attached.guard.take() {
            Some(first) => Box::new((first, guard)),
            None => Box::new(guard),
        });
        self
    }

    /// The connection it comes from.
    pub(crate) fn from_wire(incoming: Incoming, pooled: PooledConnection) -> Self {
        let attached = Box::new(Attached { pooled: Some(pooled), ..Attached::default() });
        Self { attached: Some(attached), ..Self::of(Inner::Incoming(incoming)) }
    }

    /// A reply's, on a connection that others share.
    pub(crate) fn from_stream(stream: ReplyStream) -> Self {
        if stream.is_ended() { Self::empty() } else { Self::of(Inner::Stream(stream)) }
    }

    /// A request's, on a connection of ours.
    pub(crate) fn from_client(incoming: Incoming, peer: Arc<Peer>) -> Self {
        Self { peer: Some(peer), ..Self::of(Inner::Incoming(incoming)) }
    }

    /// The client whose request it belongs to; `None` where it came on no connection of ours.
    pub fn peer(&self) -> Option<&Arc<Peer>> {
        self.peer.as_ref()
    }

    /// Whether it has more than 64 KiB, or an unknown number of bytes: it takes as long as its reader likes.
    pub fn is_long(&self) -> bool {
        is_long(self)
    }

    /// Bytes of data that have passed.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// A copy to send again; `None` when the bytes are not all here.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.inner {
            Inner::Empty => Some(Self::empty()),
            Inner::Full(bytes) => Some(Self::full(bytes.clone())),
            Inner::Incoming(_) | Inner::Stream(_) | Inner::Other(_) => None,
        }
    }

    /// Its bytes, where all of them are here.
    pub(crate) fn into_full(self) -> Result<Bytes, Self> {
        match self.inner {
            Inner::Empty => Ok(Bytes::new()),
            Inner::Full(bytes) => Ok(bytes),
            Inner::Incoming(_) | Inner::Stream(_) | Inner::Other(_) => Err(self),
        }
    }

    /// All of it, if it is no more than `limit` bytes.
    ///
    /// # Errors
    /// When it is more, or ends early.
    pub async fn bytes(self, limit: u64) -> Result<Bytes, BodyError> {
        Ok(self.limited(limit).collect().await?.to_bytes())
    }

    /// Gives the connection back and lets the guards go.
    fn finish(&mut self, cx: &mut Context<'_>) {
        let Some(mut attached) = self.attached.take() else { return };
        if let Some(pooled) = attached.pooled.take() {
            pooled.finish(cx);
        }
    }

    /// Closes the connection it comes from: what follows on it may be anything.
    fn close_connection(&mut self) {
        if let Some(attached) = &mut self.attached {
            attached.pooled = None;
        }
    }

    /// [`Body::finish`] for a body that turns out to have no bytes: it may never be polled.
    pub(crate) fn finish_if_empty(&mut self, cx: &mut Context<'_>) {
        if self.is_end_stream() {
            self.finish(cx);
        }
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.inner {
            Inner::Empty => Poll::Ready(None),
            Inner::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.inner = Inner::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Inner::Incoming(body) => {
                let polled = match self.attached.as_mut().and_then(|attached| attached.pooled.as_mut()) {
                    // No other task moves the bytes of this connection.
                    Some(pooled) => pooled.poll_with(cx, |cx| Pin::new(&mut *body).poll_frame(cx)),
                    None => Pin::new(body).poll_frame(cx),
                };
                polled.map_err(|error| BodyError::Broken(error.into()))
            }
            Inner::Stream(stream) => {
                let polled = stream.poll_data(cx);
                polled.map_ok(Frame::data).map_err(|error| BodyError::Broken(error.into()))
            }
            Inner::Other(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::Broken),
        }
    }
}

impl Wait {
    /// The silence goes on: an error when it has lasted too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let now = Instant::now();
        let limit = self.idle.into_iter().chain(self.left).min();
        let Some(limit) = limit else { return Poll::Pending };
        let begins = self.since.is_none();
        let until = *self.since.get_or_insert(now) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if begins {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(if self.left == Some(limit) { BodyError::Late } else { BodyError::Idle(limit) })
    }

    /// Something came.
    fn ends(&mut self) {
        if let (Some(since), Some(left)) = (self.since.take(), &mut self.left) {
            *left = left.saturating_sub(since.elapsed());
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(failure) = this.attached.as_mut().and_then(|attached| attached.failure.take()) {
            return Poll::Ready(Some(Err(failure)));
        }
        // A length that is declared is refused before any of it is read.
        if this.seen.saturating_add(this.size_hint().lower()) > this.limit {
            this.close_connection();
            return Poll::Ready(Some(Err(BodyError::TooLarge(this.limit))));
        }
        let Poll::Ready(polled) = this.poll_inner(cx) else {
            let wait = this.attached.as_mut().and_then(|attached| attached.wait.as_mut());
            let Some(wait) = wait else { return Poll::Pending };
            let error = ready!(wait.poll(cx));
            this.close_connection();
            return Poll::Ready(Some(Err(error)));
        };
        if let Some(wait) = this.attached.as_mut().and_then(|attached| attached.wait.as_mut()) {
            wait.ends();
        }
        let answer = match polled {
            Some(Ok(frame)) => {
                this.seen += frame.data_ref().map_or(0, |data| data.len() as u64);
                if this.seen > this.limit {
                    Some(Err(BodyError::TooLarge(this.limit)))
                } else {
                    Some(Ok(frame))
                }
            }
            other => other,
        };
        match &answer {
            // hyper does not poll again once a body reports its end.
            None => this.finish(cx),
            Some(Ok(_)) => this.finish_if_empty(cx),
            Some(Err(_)) => this.close_connection(),
        }
        if let Some(Err(failure @ BodyError::Broken(_))) = answer {
            // hyper drops what it has not written when a body fails, the head of the answer as well: it
            // writes while the body has nothing, and then the reader sees where it broke off.
            this.attached().failure = Some(failure);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(answer)
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Empty => true,
            Inner::Full(bytes) => bytes.is_empty(),
            Inner::Incoming(body) => body.is_end_stream(),
            Inner::Stream(stream) => stream.is_ended(),
            Inner::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Incoming(body) => body.size_hint(),
            Inner::Stream(stream) => stream.size_hint(),
            Inner::Other(body) => body.size_hint(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Incoming> for Body {
    fn from(body: Incoming) -> Self {
        Self::of(Inner::Incoming(body))
    }
}

impl From<axum::body::Body> for Body {
    fn from(body: axum::body::Body) -> Self {
        Self::other(body)
    }
}

impl From<Body> for axum::body::Body {
    fn from(body: Body) -> Self {
        Self::new(body)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("seen", &self.seen).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    #[tokio::test]
    async fn a_limit_counts_what_passes() {
        let ten = || Body::full(vec![0_u8; 10]);
        assert_eq!(ten().bytes(10).await.expect("ten are allowed").len(), 10);
        assert!(matches!(ten().bytes(9).await, Err(BodyError::TooLarge(9))));
    }

    #[tokio::test]
    async fn guards_go_at_the_end_of_the_body_and_not_before() {
        let guard = Arc::new(());
        let mut body = Body::full("text").guarded(guard.clone()).guarded("another");
        assert_eq!(Arc::strong_count(&guard), 2);
        body.frame().await.expect("one frame").expect("of data");
        // The only frame was the last one: hyper would not ask again.
        assert_eq!(Arc::strong_count(&guard), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_body() {
        let silent = http_body_util::StreamBody::new(futures_util::stream::pending::<
            Result<Frame<Bytes>, BoxError>,
        >());
        let error =
            Body::other(silent).idle_after(Duration::from_secs(10)).collect().await.expect_err("silence");
        assert!(matches!(error, BodyError::Idle(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn silences_add_up_and_a_slow_reader_is_not_charged() {
        let drip = || {
            let frames = futures_util::stream::iter(0..4).then(|_| async {
                tokio::time::sleep(Duration::from_millis(400)).await;
                Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x")))
            });
            Body::other(http_body_util::StreamBody::new(Box::pin(frames)))
        };
        let whole = drip().waits_at_most(Duration::from_secs(2)).idle_after(Duration::from_secs(1));
        assert_eq!(whole.collect().await.expect("1.6 s of silence").to_bytes().len(), 4);
        let cut = drip().waits_at_most(Duration::from_secs(1)).idle_after(Duration::from_secs(10));
        assert!(matches!(cut.collect().await, Err(BodyError::Late)));

        let here = futures_util::stream::iter(
            (0..4).map(|_| Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x")))),
        );
        let mut body =
            Body::other(http_body_util::StreamBody::new(here)).waits_at_most(Duration::from_millis(1));
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            body.frame().await.expect("a frame").expect("which was here");
        }
    }

    #[test]
    fn the_cause_is_found_behind_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] BodyError);
        assert!(matches!(BodyError::behind(&Outer(BodyError::TooLarge(5))), Some(BodyError::TooLarge(5))));
        assert!(BodyError::behind(&std::fmt::Error).is_none());
    }
}
