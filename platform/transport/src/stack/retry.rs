//! Retry: what may be tried again is, while the budget pays for it and time remains.

use std::sync::Arc;
use std::time::Duration;

use contract::RefusalKind;
use policy::retry::{AttemptOutcome, Idempotency, backoff as wait_ns, may_retry};
use runtime::{clock, random};
use tokio::time::sleep;

use super::{CallFuture, Layer, OutboundCall};
use crate::edge::{CallFailure, Edge, Progress};

pub(super) struct RetryLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> RetryLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }

    /// How long to wait before try `n + 1` of a call that failed so; `None` to leave it.
    fn backoff(&self, failure: &CallFailure, outbound: &OutboundCall, n: u32) -> Option<Duration> {
        if n >= self.edge.policy.attempts || !is_retryable(failure, outbound.idempotency) {
            return None;
        }
        let left = outbound.cx.deadline.remaining(clock::now())?;
        let base_ns = self.edge.policy.backoff.nanos();
        let wait = wait_ns(base_ns, self.edge.policy.jitter, n, random::bits(), left.as_nanos() as u64)?;
        let paid = |budget: &std::sync::Mutex<policy::budget::RetryBudget>| {
            budget.lock().expect("no panic while held").withdraw(clock::now_ns())
        };
        if !self.edge.budget.as_ref().is_none_or(paid) {
            self.edge.metrics.shed("budget");
            return None;
        }
        Some(Duration::from_nanos(wait))
    }
}

fn is_retryable(failure: &CallFailure, idempotency: Idempotency) -> bool {
    let outcome = match failure.progress {
        Progress::Shed(_) => return false,
        Progress::NotSent(_) => AttemptOutcome::NotSent,
        Progress::Unanswered(_) => AttemptOutcome::SentNoResponse,
        Progress::Answered => AttemptOutcome::Status(failure.refusal.kind.status()),
        Progress::ResponseStarted => AttemptOutcome::BodyBroken,
    };
    may_retry(outcome, idempotency)
}

/// "Nothing was done" is true of the last try only: where an earlier one may
/// have happened, its refusal is the honest one.
fn conclude(last: CallFailure, ambiguous: Option<CallFailure>) -> CallFailure {
    match ambiguous {
        Some(ambiguous) if last.refusal.kind == RefusalKind::Unavailable => ambiguous,
        _ => last,
    }
}

impl<L: Layer> Layer for RetryLayer<L> {
    fn send(&self, mut outbound: OutboundCall) -> CallFuture<'_> {
        // Retries multiply from layer to layer, so nobody retries on behalf of a retry.
        if outbound.cx.attempt > 0 || self.edge.policy.attempts == 1 {
            return self.inner.send(outbound);
        }
        Box::pin(async move {
            if let Some(budget) = &self.edge.budget {
                budget.lock().expect("no panic while held").deposit(clock::now_ns());
            }
            let (mut tries, mut ambiguous) = (0, None);
            loop {
                let failure = match self.inner.send(outbound.clone()).await {
                    Ok(reply) => return Ok(reply),
                    Err(failure) => failure,
                };
                tries += 1;
                let Some(wait) = self.backoff(&failure, &outbound, tries) else {
                    return Err(conclude(failure, ambiguous));
                };
                sleep(wait).await;
                self.edge.metrics.retry();
                outbound.cx.attempt += 1;
                outbound.avoid.clone_from(&failure.endpoint);
                if failure.refusal.kind.may_have_happened() {
                    ambiguous = Some(failure);
                }
            }
        })
    }
}
