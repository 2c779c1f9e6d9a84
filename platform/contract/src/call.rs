//! Calls and answers: the seam that lets a component be a function or a network hop away.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{CallContext, Refusal};

/// An answer under way. Boxed: a dynamic dispatch costs about a tenth of a
/// microsecond, a loopback hop two hundred times that.
pub type Pending<'a, R> = Pin<Box<dyn Future<Output = Result<R, Refusal>> + Send + 'a>>;

/// What happens when a call is made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Reads: repeat at will.
    Safe,
    /// Writes that carry an idempotency key: a repeat has no second effect.
    Keyed,
    /// Must not be repeated once it may have arrived.
    Never,
}

/// A question one component asks another: a plain struct with a name and a reply.
pub trait Call: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// `component.verb_noun`, unique in the suite; the internal route is `/call/{NAME}`.
    const NAME: &'static str;
    /// The component that answers.
    const COMPONENT: &'static str;
    /// The promise about repeating it, read by retries.
    const REPEAT: Repeat;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// The same question asked item by item, where it is about many: what the fault
    /// `chatty` makes of it.
    fn one_by_one(&self) -> Vec<Self> {
        Vec::new()
    }

    /// One reply out of those to [`Call::one_by_one`]; `None` where they cannot be joined.
    fn joined(replies: Vec<Self::Reply>) -> Option<Self::Reply> {
        let _none = replies;
        None
    }

    /// What a caller can go on with when no answer comes, where there is such a reply:
    /// the `fallback` of an edge's policy.
    fn fallback(&self) -> Option<Self::Reply> {
        None
    }
}

/// An implementation of a call: the service itself, a carrier, a fault, a retry, a fake.
pub trait Answer<C: Call>: Send + Sync + 'static {
    /// Answers, or refuses with a reason. Dropping the future cancels the call.
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply>;
}

impl<C: Call, A: Answer<C> + ?Sized> Answer<C> for Arc<A> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        (**self).answer(cx, call)
    }
}
