//! Per-try timeout, and the measure of each try.
//!
//! What travels as deadline is the earlier of the call's and the try's, so the
//! callee knows how long anybody will wait for *this* try.

use std::sync::Arc;

use contract::{Deadline, Refusal, RefusalKind};
use runtime::clock;
use tokio::time::timeout_at;

use super::{CallFuture, Layer, OutboundCall};
use crate::edge::{CallFailure, Edge, Progress};

pub(super) struct TryTimeoutLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> TryTimeoutLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for TryTimeoutLayer<L> {
    fn send(&self, mut outbound: OutboundCall) -> CallFuture<'_> {
        Box::pin(async move {
            let started = clock::now();
            if let Some(limit) = self.edge.policy.timeout {
                let limit = Deadline::after(started, limit.duration());
                outbound.cx.deadline = outbound.cx.deadline.earlier(limit);
            }
            let until = outbound.cx.deadline.instant();
            let result = match timeout_at(until.into(), self.inner.send(outbound)).await {
                Ok(result) => result,
                Err(_) => {
                    let message = "the callee did not answer within the time of one try";
                    let refusal = Refusal::new(RefusalKind::DeadlineExceeded, "try_timed_out", message);
                    Err(CallFailure::new(refusal, Progress::Unanswered("timeout")))
                }
            };
            let outcome = result.as_ref().map_or_else(CallFailure::result, |_| Ok(200));
            self.edge.metrics.attempt(outcome, clock::now() - started);
            result
        })
    }
}
