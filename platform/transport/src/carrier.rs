//! The ways a call can go.
//!
//! Whichever it is, the callee's side is the same: `Receiver::receive`.

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
        let answer = async {
            on_time(callee::<C>(), cx)?;
            if !self.faults.is_empty() {
                injury::suffer(&self.faults, Side::Callee, callee::<C>(), C::NAME, cx).await?;
                on_time(callee::<C>(), cx)?;
            }
            self.service.answer(cx, call).await
        };
        scope::within(callee::<C>(), answer).await
    }
}

/// Work for somebody who has stopped waiting is refused.
pub(crate) fn in_time(cx: &CallContext) -> Result<(), Refusal> {
    match cx.deadline.remaining(clock::now()) {
        Some(_) => Ok(()),
        None => Err(Refusal::too_late()),
    }
}

fn on_time(callee: ComponentName, cx: &CallContext) -> Result<(), Refusal> {
    in_time(cx).inspect_err(|_| telemetry::deadline_refused(callee))
}

pub(crate) const fn callee<C: Call>() -> ComponentName {
    ComponentName::of(C::COMPONENT)
}
