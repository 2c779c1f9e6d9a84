//! A function call: deadline, the callee's faults, its scope, a span; nothing else.

use std::sync::Arc;

use contract::{Answer, Call, CallContext, ComponentName, Pending};
use tracing::Instrument;

use super::{CallHandler, callee, local_context};

/// Answers from the same process.
pub(crate) struct LocalClient<C: Call> {
    caller: ComponentName,
    handler: Arc<CallHandler<C>>,
    /// Whether the callee learns how long its caller waits.
    deadline: bool,
}

impl<C: Call> LocalClient<C> {
    pub fn new(caller: ComponentName, handler: Arc<CallHandler<C>>, deadline: bool) -> Self {
        Self { caller, handler, deadline }
    }
}

impl<C: Call> Answer<C> for LocalClient<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        let span = telemetry::call_span(C::NAME, callee::<C>(), "local");
        let answer =
            async move { self.handler.handle(&local_context(cx, self.caller, self.deadline), call).await };
        Box::pin(answer.instrument(span))
    }
}
