//! A function call that is encoded and decoded on the way, both there and back: what encoding alone costs.

use std::sync::Arc;

use contract::{Answer, Call, CallContext, ComponentName, Pending, Refusal};
use tracing::Instrument;

use super::{CallHandler, callee, local_context};
use crate::codec::Codec;

/// Answers from the same process, through the encoding of the `http+json` carrier.
pub(crate) struct WireClient<C: Call> {
    caller: ComponentName,
    handler: Arc<CallHandler<C>>,
    /// Whether the callee learns how long its caller waits.
    deadline: bool,
}

impl<C: Call> WireClient<C> {
    pub fn new(caller: ComponentName, handler: Arc<CallHandler<C>>, deadline: bool) -> Self {
        Self { caller, handler, deadline }
    }
}

impl<C: Call> Answer<C> for WireClient<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        let span = telemetry::call_span(C::NAME, callee::<C>(), "wire");
        let answer = async move {
            let unreadable =
                |why| Refusal::internal(format!("`{}` does not survive its encoding: {why}", C::NAME));
            let there = Codec::Json.decode(&Codec::Json.encode(&call)).map_err(unreadable)?;
            let reply = self.handler.handle(&local_context(cx, self.caller, self.deadline), there).await?;
            Codec::Json.decode(&Codec::Json.encode(&reply)).map_err(unreadable)
        };
        Box::pin(answer.instrument(span))
    }
}
