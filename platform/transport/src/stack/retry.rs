//! Retry: what may be tried again is, while the budget pays for it and time remains.

use std::sync::Arc;
use std::time::Duration;

use contract::RefusalKind;
use policy::retry::{AttemptOutcome, backoff, may_retry};
use runtime::{clock, random, timer};

use super::{Layer, Message, OutboundCall, Outcome};
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
    fn wait_before_retry<M: Message>(
        &self,
        failure: &CallFailure<M::Reply>,
        outbound: &OutboundCall<M>,
        n: u32,
    ) -> Option<Duration> {
        if n >= self.edge.policy.attempts || !is_retryable(failure, outbound) {
            return None;
        }
        let left = outbound.cx.deadline.remaining(clock::now())?;
        let base_ns = self.edge.policy.backoff.nanos();
        let wait = backoff(base_ns, self.edge.policy.jitter, n, random::bits(), left.as_nanos() as u64)?;
        let withdraw = |budget: &std::sync::Mutex<policy::budget::RetryBudget>| {
            budget.lock().expect("no panic while held").withdraw(clock::now_ns())
        };
        if !self.edge.budget.as_ref().is_none_or(withdraw) {
            self.edge.metrics.shed("budget");
            return None;
        }
        Some(Duration::from_nanos(wait))
    }
}

fn is_retryable<M: Message>(failure: &CallFailure<M::Reply>, outbound: &OutboundCall<M>) -> bool {
    let outcome = match failure.progress {
        Progress::Shed(_) | Progress::CallerFailed(_) => return false,
        Progress::NotSent(_) => AttemptOutcome::NotSent,
        Progress::Unanswered(_) => AttemptOutcome::SentNoResponse,
        Progress::Answered(status) => AttemptOutcome::Status(status),
        Progress::ResponseStarted => AttemptOutcome::BodyBroken,
    };
    // A stream can be sent again only while none of it has been read.
    let sendable = outbound.message.is_replayable()
        || (outcome == AttemptOutcome::NotSent && outbound.message.is_unread());
    sendable && may_retry(outcome, outbound.idempotency)
}

/// "Nothing was done" is true of the last try only: where an earlier one may
/// have happened, its refusal is the honest one.
fn conclude<R>(last: CallFailure<R>, ambiguous: Option<CallFailure<R>>) -> CallFailure<R> {
    match ambiguous {
        Some(ambiguous) if last.refusal.kind == RefusalKind::Unavailable => ambiguous,
        _ => last,
    }
}

impl<L: Layer> Layer for RetryLayer<L> {
    async fn send<M: Message>(&self, mut outbound: OutboundCall<M>) -> Outcome<M> {
        // Retries multiply from layer to layer, so a retry is not retried.
        if outbound.cx.attempt > 0 || self.edge.policy.attempts == 1 {
            return self.inner.send(outbound).await;
        }
        if let Some(budget) = &self.edge.budget {
            budget.lock().expect("no panic while held").deposit(clock::ns_at(outbound.began));
        }
        let (mut tries, mut ambiguous) = (0, None);
        loop {
            let mut failure = match self.inner.send(outbound.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            tries += 1;
            let Some(wait) = self.wait_before_retry(&failure, &outbound, tries) else {
                return Err(conclude(failure, ambiguous));
            };
            if let Some(reply) = failure.reply.take() {
                M::discard(*reply);
            }
            timer::sleep(wait).await;
            outbound.began = clock::now();
            self.edge.metrics.retry();
            outbound.cx.attempt += 1;
            outbound.avoid.clone_from(&failure.endpoint);
            if failure.refusal.kind.may_have_happened() {
                ambiguous = Some(failure);
            }
        }
    }
}
