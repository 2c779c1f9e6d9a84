//! Deadline: nothing is begun too late, and nothing is waited for longer.

use std::sync::Arc;

use contract::{Deadline, Refusal};
use runtime::clock;
use tokio::time::timeout_at;

use super::{CallFuture, Layer, OutboundCall};
use crate::carrier::check_deadline;
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
    fn send(&self, mut outbound: OutboundCall) -> CallFuture<'_> {
        if !self.edge.policy.deadline {
            // Switched off to show what it is good for: nobody is told how long anybody waits.
            outbound.cx.deadline = Deadline::after(clock::now(), MAX_DEADLINE);
            return self.inner.send(outbound);
        }
        Box::pin(async move {
            if let Err(refusal) = check_deadline(&outbound.cx) {
                telemetry::deadline_refused(self.edge.caller);
                return Err(CallFailure::new(refusal, Progress::Shed("deadline")));
            }
            let until = outbound.cx.deadline.instant();
            match timeout_at(until.into(), self.inner.send(outbound)).await {
                Ok(result) => result,
                Err(_) => Err(CallFailure::new(Refusal::too_late(), Progress::Unanswered("timeout"))),
            }
        })
    }
}
