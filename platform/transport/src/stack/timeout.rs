//! Per-try timeout, and the measure of each try.
//!
//! What travels as deadline is the earlier of the call's and the try's, so the
//! callee knows how long its caller waits for *this* try.

use std::sync::Arc;
use std::time::Instant;

use contract::{Deadline, Refusal, RefusalKind};
use runtime::clock;
use telemetry::names;
use tokio::time::timeout_at;

use super::{Layer, Message, OutboundCall, Outcome};
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

impl<L: Layer> TryTimeoutLayer<L> {
    async fn within<M: Message>(&self, until: Instant, outbound: OutboundCall<M>) -> Outcome<M> {
        timeout_at(until.into(), self.inner.send(outbound)).await.unwrap_or_else(|_| {
            let message = "the callee did not answer within the time of one try";
            let refusal = Refusal::new(RefusalKind::DeadlineExceeded, "try_timed_out", message);
            Err(CallFailure::new(refusal, Progress::Unanswered("timeout")))
        })
    }
}

impl<L: Layer> Layer for TryTimeoutLayer<L> {
    async fn send<M: Message>(&self, mut outbound: OutboundCall<M>) -> Outcome<M> {
        let started = outbound.began;
        if let Some(limit) = self.edge.policy.timeout {
            let limit = Deadline::after(started, limit.duration());
            outbound.cx.deadline = outbound.cx.deadline.earlier(limit);
        }
        let deadline = outbound.cx.deadline;
        // The carrier ends at the deadline by itself; an injected delay does not.
        let is_timed = self.edge.policy.timeout.is_some() || !self.edge.faults.is_empty();
        let mut result = if is_timed {
            // Boxed: its timer and a second copy of what is below must not add to the size of every other call.
            Box::pin(self.within(deadline.instant(), outbound)).await
        } else {
            self.inner.send(outbound).await
        };
        if let Err(failure) = &mut result
            && deadline.is_chosen_by_client()
            && failure.refusal.kind == RefusalKind::DeadlineExceeded
        {
            // It would have waited longer for another client.
            failure.progress = Progress::CallerFailed(names::CLIENT_DEADLINE);
        }
        let status = result.as_ref().map_or_else(CallFailure::result, |reply| Ok(M::status(reply)));
        let ended = clock::now();
        self.edge.metrics.attempt(status, ended - started);
        result
    }
}
