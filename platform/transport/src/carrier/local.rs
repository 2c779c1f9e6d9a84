//! A function call: deadline, the callee's faults, its scope, a span; nothing else.

use std::sync::Arc;

use contract::{Answer, Call, CallContext, ComponentName, Pending};
use tracing::Instrument;

use super::{Receiver, callee};

/// Answers from the same process.
pub(crate) struct Local<C: Call> {
    caller: ComponentName,
    receiver: Arc<Receiver<C>>,
}

impl<C: Call> Local<C> {
    pub fn new(caller: ComponentName, receiver: Arc<Receiver<C>>) -> Self {
        Self { caller, receiver }
    }
}

impl<C: Call> Answer<C> for Local<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        let span = telemetry::call_span(C::NAME, callee::<C>(), "local");
        let answer = async move { self.receiver.receive(&cx.asked_by(self.caller), call).await };
        Box::pin(answer.instrument(span))
    }
}
