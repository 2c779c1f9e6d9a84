//! A function call that is encoded and decoded on the way, both there and back: what encoding alone costs.

use std::sync::Arc;

use contract::{Answer, Call, CallContext, ComponentName, Pending, Refusal};
use tracing::Instrument;

use super::{Receiver, asked, callee};
use crate::codec::Codec;

/// Answers from the same process, through the encoding of the `http+json` carrier.
pub(crate) struct Wire<C: Call> {
    caller: ComponentName,
    receiver: Arc<Receiver<C>>,
    /// Whether the callee is told how long its caller waits.
    deadline: bool,
}

impl<C: Call> Wire<C> {
    pub fn new(caller: ComponentName, receiver: Arc<Receiver<C>>, deadline: bool) -> Self {
        Self { caller, receiver, deadline }
    }
}

impl<C: Call> Answer<C> for Wire<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        let span = telemetry::call_span(C::NAME, callee::<C>(), "wire");
        let answer = async move {
            let unreadable =
                |why| Refusal::internal(format!("`{}` does not survive its encoding: {why}", C::NAME));
            let there = Codec::Json.decode(&Codec::Json.encode(&call)).map_err(unreadable)?;
            let reply = self.receiver.receive(&asked(cx, self.caller, self.deadline), there).await?;
            Codec::Json.decode(&Codec::Json.encode(&reply)).map_err(unreadable)
        };
        Box::pin(answer.instrument(span))
    }
}
