//! The ways a call can go.
//!
//! Whichever it is, the callee's side is the same: see [`receive`].

pub mod http;
pub mod local;
pub mod wire;

use std::sync::Arc;

use contract::{Answer, Call, CallContext, ComponentName, Refusal};
use fault::{Side, Table};
use runtime::{clock, scope};

use crate::injury;

/// A component's answer to one call, and what every call to it meets.
pub(crate) struct Receiver<C: Call> {
    service: Arc<dyn Answer<C>>,
    faults: Arc<Table>,
}

impl<C: Call> Receiver<C> {
    pub fn new(service: Arc<dyn Answer<C>>, faults: Arc<Table>) -> Self {
        Self { service, faults }
    }

    /// The callee's side of a call: too late before any work, the component's
    /// own faults, then its answer in its own scope.
    pub async fn receive(&self, cx: &CallContext, call: C) -> Result<C::Reply, Refusal> {
        in_time(cx)?;
        if !self.faults.is_empty() {
            injury::suffer(&self.faults, Side::Callee, callee::<C>(), C::NAME, cx).await?;
            in_time(cx)?;
        }
        scope::within(callee::<C>(), self.service.answer(cx, call)).await
    }
}

/// Work for somebody who has stopped waiting is refused.
pub(crate) fn in_time(cx: &CallContext) -> Result<(), Refusal> {
    match cx.deadline.remaining(clock::now()) {
        Some(_) => Ok(()),
        None => Err(Refusal::too_late()),
    }
}

pub(crate) const fn callee<C: Call>() -> ComponentName {
    ComponentName::of(C::COMPONENT)
}
