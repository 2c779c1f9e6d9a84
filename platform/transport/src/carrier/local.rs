//! A function call: deadline, the callee's faults, its scope, a span; nothing else.

use std::sync::Arc;

use contract::{Answer, Call, CallContext, ComponentName, Pending};
use tracing::Instrument;

use super::{Receiver, asked, callee};

/// Answers from the same process.
pub(crate) struct Local<C: Call> {
    caller: ComponentName,
    receiver: Arc<Receiver<C>>,
    /// Whether the callee is told how long its caller waits.
    deadline: bool,
}

impl<C: Call> Local<C> {
    pub fn new(caller: ComponentName, receiver: Arc<Receiver<C>>, deadline: bool) -> Self {
        Self { caller, receiver, deadline }
    }
}

impl<C: Call> Answer<C> for Local<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        let span = telemetry::call_span(C::NAME, callee::<C>(), "local");
        let answer = async move { self.receiver.receive(&asked(cx, self.caller, self.deadline), call).await };
        Box::pin(answer.instrument(span))
    }
}
