//! What an edge carries: a call as bytes, or an HTTP exchange whose bodies stream.

use std::any::Any;
use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use contract::CallContext;
use fault::Corruption;
use http::{Request, Response};
use policy::retry::Idempotency;
use runtime::clock;
use tracing::Span;

use crate::Body;
use crate::cluster::Endpoint;
use crate::edge::{CallFailure, Edge};
use crate::headers::MAX_DEADLINE;

/// What a message comes to.
pub type Outcome<M> = Result<<M as Message>::Reply, CallFailure<<M as Message>::Reply>>;

/// Keeps `guard` until the reply has ended, if there is one: that may be long after it began.
pub(super) fn guarded<M: Message>(outcome: Outcome<M>, guard: impl Any + Send) -> Outcome<M> {
    match outcome {
        Ok(reply) => Ok(M::guarded(reply, guard)),
        Err(failure) => Err(failure.map_reply(|reply| M::guarded(reply, guard))),
    }
}

/// A message on its way down, whatever carries its bytes. Cloned for every try.
#[derive(Clone)]
pub struct OutboundCall<M> {
    pub(crate) cx: CallContext,
    pub(crate) idempotency: Idempotency,
    /// The endpoint that failed before.
    pub(crate) avoid: Option<Arc<Endpoint>>,
    /// The endpoint to ask, where that is settled already.
    pub(crate) to: Option<Arc<Endpoint>>,
    /// When this try began: what its layers measure from, so that each need not read the clock. Whatever waits before it
    /// passes the message on sets it anew.
    pub(crate) began: Instant,
    pub(crate) message: M,
}

impl<M> OutboundCall<M> {
    /// A message that has not been tried yet.
    pub fn new(cx: CallContext, idempotency: Idempotency, message: M) -> Self {
        Self { cx, idempotency, avoid: None, to: None, began: clock::now(), message }
    }
}

/// What the layers and the carrier need to know of a message. It is cheap to clone:
/// a clone is made for every try.
pub trait Message: Clone + Send + Sync {
    /// A reply: decoded to bytes, or a response whose body is still to come.
    type Reply: Send;

    /// What faults are matched by: the name of the call, or method and path template.
    fn route(&self) -> Cow<'_, str>;

    /// Method and path template of the request, for its span.
    fn method_and_path(&self) -> (&str, &str);

    /// The span around all tries; disabled where the caller's own span is enough.
    fn span(&self, edge: &Edge) -> Span;

    /// A hash of what is asked for, by which an edge may choose the copy.
    fn affinity(&self) -> u64;

    /// Whether all of it is here, so that it can be sent as often as needed. Only such a
    /// message is hedged, duplicated, or sent again after a callee may have read it.
    fn is_replayable(&self) -> bool;

    /// Whether it goes over HTTP/2, on a connection that it shares.
    fn is_multiplexed(&self) -> bool {
        false
    }

    /// Whether nothing of it has been read: it can still be sent for the first time.
    fn is_unread(&self) -> bool;

    /// The request of one try; `None` when the body was read by an earlier one.
    fn request(&self, attempt: &AttemptContext<'_>) -> Option<Request<Body>>;

    /// The reply in a response. A status from 500 up is a failure, which may keep the response.
    fn reply(&self, response: Response<Body>, until: Instant) -> impl Future<Output = Outcome<Self>> + Send;

    /// Status of a reply, for metrics.
    fn status(reply: &Self::Reply) -> u16;

    /// Keeps `guard` until the reply has ended.
    fn guarded(reply: Self::Reply, guard: impl Any + Send) -> Self::Reply;

    /// Lets go of a reply that is not passed on.
    fn discard(reply: Self::Reply);

    /// A reply after a fault has damaged it.
    fn corrupt(reply: Self::Reply, how: Corruption) -> impl Future<Output = Outcome<Self>> + Send;
}

/// Where and how one try is sent.
pub struct AttemptContext<'a> {
    /// The edge it goes over.
    pub edge: &'a Edge,
    /// The endpoint that is asked.
    pub endpoint: &'a Endpoint,
    /// Deadline and number of this try, and what it belongs to.
    pub cx: &'a CallContext,
    /// When it began.
    pub began: Instant,
}

impl AttemptContext<'_> {
    /// What the try writes as `x-deadline-ms`: the remaining milliseconds, rounded up, since a
    /// callee must not give up before its caller does; the longest possible where the edge
    /// passes no deadline on.
    pub fn deadline_ms(&self) -> u64 {
        if !self.edge.policy().deadline {
            return MAX_DEADLINE.as_millis() as u64;
        }
        let left = self.cx.deadline.remaining(self.began).unwrap_or_default();
        left.as_micros().div_ceil(1_000) as u64
    }
}
