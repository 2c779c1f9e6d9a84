//! Deadline: nothing is begun too late.
//!
//! No timer here: what is below ends at the deadline by itself, each wait of it.

use std::future::{Future, ready};
use std::sync::Arc;

use contract::Deadline;
use futures_util::future::Either;

use super::{Layer, Message, OutboundCall, Outcome};
use crate::deadline::check_deadline;
use crate::edge::{CallFailure, Edge, Progress};
use crate::headers::MAX_DEADLINE;

pub(super) struct DeadlineLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> DeadlineLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for DeadlineLayer<L> {
    fn send<M: Message>(&self, mut outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send {
        if !self.edge.policy.deadline {
            // Switched off to show what it is good for: no callee learns how long its caller waits.
            outbound.cx.deadline = Deadline::after(outbound.began, MAX_DEADLINE);
        } else if let Err(refusal) = check_deadline(&outbound.cx, outbound.began) {
            telemetry::deadline_refused(self.edge.caller);
            let refused: Outcome<M> = Err(CallFailure::new(refusal, Progress::Shed("deadline")));
            return Either::Left(ready(refused));
        }
        Either::Right(self.inner.send(outbound))
    }
}
