//! Hedge: a second try while a slow first is still out; whichever answers first counts.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use policy::hedge::HedgeOptions;
use policy::retry::Idempotency;
use runtime::{clock, timer};
use telemetry::EdgeMetrics;

use super::{Layer, Message, OutboundCall, Outcome};
use crate::edge::Edge;

/// Marks a second try in the number of the try: its dice are its own, and no callee
/// retries on its behalf.
const HEDGED_ATTEMPT: u8 = 0x40;

pub(super) struct HedgeLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> HedgeLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }

    fn withdraw(&self) -> bool {
        let withdraw = |budget: &std::sync::Mutex<policy::budget::RetryBudget>| {
            budget.lock().expect("no panic while held").withdraw(clock::now_ns())
        };
        self.edge.hedge_budget.as_ref().is_none_or(withdraw)
    }
}

/// A call of which both tries are out. How it ends is counted: one that is dropped has been given up by its caller.
struct HedgedCall<'a> {
    metrics: &'a EdgeMetrics,
    outcome: &'static str,
}

impl Drop for HedgedCall<'_> {
    fn drop(&mut self) {
        self.metrics.hedged(self.outcome);
    }
}

impl<L: Layer> HedgeLayer<L> {
    async fn hedged<M: Message>(&self, hedge: HedgeOptions, outbound: OutboundCall<M>) -> Outcome<M> {
        if let Some(budget) = &self.edge.hedge_budget {
            budget.lock().expect("no panic while held").deposit(clock::ns_at(outbound.began));
        }
        let mut again = outbound.clone();
        again.cx.attempt |= HEDGED_ATTEMPT;
        let first = pin!(self.inner.send(outbound));
        let first = match select(first, pin!(timer::sleep(hedge.after.duration()))).await {
            Either::Left((result, _)) => return result,
            Either::Right(((), first)) => first,
        };
        if !self.withdraw() {
            return first.await;
        }
        self.edge.metrics.retry();
        let mut hedged = HedgedCall { metrics: &self.edge.metrics, outcome: "abandoned" };
        again.began = clock::now();
        let (outcome, by) = match select(first, pin!(self.inner.send(again))).await {
            Either::Left((Ok(reply), _)) => (Ok(reply), "first"),
            Either::Right((Ok(reply), _)) => (Ok(reply), "second"),
            Either::Left((Err(_), second)) => (second.await, "second"),
            Either::Right((Err(_), first)) => (first.await, "first"),
        };
        hedged.outcome = if outcome.is_ok() { by } else { "neither" };
        outcome
    }
}

impl<L: Layer> Layer for HedgeLayer<L> {
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send {
        // Only what may happen twice, and can be sent twice, is sent twice.
        let twice = outbound.idempotency == Idempotency::Idempotent && outbound.message.is_replayable();
        match self.edge.policy.hedge.filter(|_| twice) {
            // Boxed: two tries at once must not double the size of every other call.
            Some(hedge) => Either::Left(Box::pin(self.hedged(hedge, outbound))),
            None => Either::Right(self.inner.send(outbound)),
        }
    }
}
