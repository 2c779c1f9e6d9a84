//! A function call that is encoded and decoded on the way, both there and back: what encoding alone costs.

use std::sync::Arc;

use contract::{Answer, Call, CallContext, ComponentName, Pending, Refusal};
use tracing::Instrument;

use super::{Receiver, callee};
use crate::codec::Codec;

/// Answers from the same process, through the encoding of the `http+json` carrier.
pub(crate) struct Wire<C: Call> {
    caller: ComponentName,
    receiver: Arc<Receiver<C>>,
}

impl<C: Call> Wire<C> {
    pub fn new(caller: ComponentName, receiver: Arc<Receiver<C>>) -> Self {
        Self { caller, receiver }
    }
}

impl<C: Call> Answer<C> for Wire<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        let span = telemetry::call_span(C::NAME, callee::<C>(), "wire");
        let answer = async move {
            let unreadable =
                |why| Refusal::internal(format!("`{}` does not survive its encoding: {why}", C::NAME));
            let there = Codec::Json.decode(&Codec::Json.encode(&call)).map_err(unreadable)?;
            let reply = self.receiver.receive(&cx.asked_by(self.caller), there).await?;
            Codec::Json.decode(&Codec::Json.encode(&reply)).map_err(unreadable)
        };
        Box::pin(answer.instrument(span))
    }
}
