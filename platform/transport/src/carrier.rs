//! The ways a call can go.
//!
//! Whichever it is, the callee's side is the same: `CallHandler::handle`.

pub mod http;
pub mod local;
pub mod remote;
pub mod wire;

use std::sync::Arc;

use contract::hash::fnv1a64_with;
use contract::{Answer, Call, CallContext, ComponentName, Deadline, Refusal};
use runtime::cost::Operation;
use runtime::{clock, scope};

use crate::codec::Codec;
use crate::headers;
use crate::server_stack::ServerStack;

/// A component's answer to one call, and what every call to it meets.
pub(crate) struct CallHandler<C: Call> {
    service: Arc<dyn Answer<C>>,
    server_stack: ServerStack,
    operation: &'static Operation,
}

impl<C: Call> CallHandler<C> {
    pub fn new(service: Arc<dyn Answer<C>>, server_stack: ServerStack) -> Self {
        Self { service, server_stack, operation: Operation::of(callee::<C>(), C::NAME) }
    }

    /// The callee's side of a call: too late before any work, a place, the
    /// component's own faults, then its answer in its own scope, as an operation of its own.
    pub async fn handle(&self, cx: &CallContext, call: C) -> Result<C::Reply, Refusal> {
        let answer = async {
            self.server_stack.on_time(cx)?;
            if self.server_stack.is_clear() {
                return self.service.answer(cx, call).await;
            }
            let admitted = self.server_stack.admit(C::NAME, cx, || key_of(&call)).await?;
            let reply = self.service.answer(cx, call).await;
            admitted.finish().await;
            reply
        };
        scope::serving(self.operation, answer).until(cx.deadline.instant()).await
    }
}

/// The context of a function call. Where the edge passes no deadline on, the callee
/// works for a caller that has gone, as it would across a network.
fn local_context(cx: &CallContext, caller: ComponentName, deadline: bool) -> CallContext {
    let mut cx = cx.called_by(caller);
    if !deadline {
        cx.deadline = Deadline::after(clock::now(), headers::MAX_DEADLINE);
    }
    cx
}

/// What a call asks for, as a cache would know it.
fn key_of<C: Call>(call: &C) -> u64 {
    fnv1a64_with(&Codec::Postcard.encode(call), fnv1a64_with(C::NAME.as_bytes(), 0))
}

pub(crate) const fn callee<C: Call>() -> ComponentName {
    ComponentName::of(C::COMPONENT)
}
