//! Retry: what may be tried again is, while the budget pays for it and time remains.

use std::sync::Arc;
use std::time::Duration;

use contract::RefusalKind;
use policy::retry::{AttemptOutcome, Idempotency, backoff, may_retry};
use runtime::{chance, clock};
use tokio::time::sleep;

use super::{Layer, Parcel, Sent};
use crate::edge::{Came, Edge, Failure};

pub(super) struct Retry<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> Retry<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }

    /// How long to wait before try `n + 1` of a call that failed so; `None` to leave it.
    fn again(&self, failure: &Failure, parcel: &Parcel, n: u32) -> Option<Duration> {
        if n >= self.edge.policy.attempts || !worth_another(failure, parcel.idempotency) {
            return None;
        }
        let left = parcel.cx.deadline.remaining(clock::now())?;
        let base_ns = self.edge.policy.backoff.nanos();
        let wait = backoff(base_ns, self.edge.policy.jitter, n, chance::bits(), left.as_nanos() as u64)?;
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

fn worth_another(failure: &Failure, idempotency: Idempotency) -> bool {
    let outcome = match failure.came {
        Came::Shed(_) => return false,
        Came::NotSent(_) => AttemptOutcome::NotSent,
        Came::Unanswered(_) => AttemptOutcome::SentNoResponse,
        Came::Answered => AttemptOutcome::Status(failure.refusal.kind.status()),
        Came::Begun => AttemptOutcome::BodyBroken,
    };
    may_retry(outcome, idempotency)
}

/// "Nothing was done" is true of the last try only: where an earlier one may
/// have happened, its refusal is the honest one.
fn conclude(last: Failure, doubtful: Option<Failure>) -> Failure {
    match doubtful {
        Some(doubtful) if last.refusal.kind == RefusalKind::Unavailable => doubtful,
        _ => last,
    }
}

impl<L: Layer> Layer for Retry<L> {
    fn send(&self, mut parcel: Parcel) -> Sent<'_> {
        // Retries multiply from layer to layer, so nobody retries on behalf of a retry.
        if parcel.cx.attempt > 0 || self.edge.policy.attempts == 1 {
            return self.inner.send(parcel);
        }
        Box::pin(async move {
            if let Some(budget) = &self.edge.budget {
                budget.lock().expect("no panic while held").deposit(clock::now_ns());
            }
            let (mut tries, mut doubtful) = (0, None);
            loop {
                let failure = match self.inner.send(parcel.clone()).await {
                    Ok(reply) => return Ok(reply),
                    Err(failure) => failure,
                };
                tries += 1;
                let Some(wait) = self.again(&failure, &parcel, tries) else {
                    return Err(conclude(failure, doubtful));
                };
                sleep(wait).await;
                self.edge.metrics.retry();
                parcel.cx.attempt += 1;
                parcel.avoid.clone_from(&failure.endpoint);
                if failure.refusal.kind.may_have_happened() {
                    doubtful = Some(failure);
                }
            }
        })
    }
}
