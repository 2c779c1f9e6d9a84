//! Hedge: a second try while a slow first is still out; whichever answers first counts.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use policy::retry::Idempotency;
use runtime::clock;
use tokio::time::sleep;

use super::{Layer, Parcel, Sent};
use crate::edge::Edge;

/// Marks a second try in the number of the try: it has dice of its own, and
/// nobody retries on its behalf.
const SECOND: u8 = 0x40;

pub(super) struct Hedged<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> Hedged<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }

    fn paid(&self) -> bool {
        let paid = |budget: &std::sync::Mutex<policy::budget::RetryBudget>| {
            budget.lock().expect("no panic while held").withdraw(clock::now_ns())
        };
        self.edge.hedges.as_ref().is_none_or(paid)
    }
}

impl<L: Layer> Layer for Hedged<L> {
    fn send(&self, parcel: Parcel) -> Sent<'_> {
        // Only what may happen twice is sent twice.
        let hedge = self.edge.policy.hedge.filter(|_| parcel.idempotency == Idempotency::Idempotent);
        let Some(hedge) = hedge else { return self.inner.send(parcel) };
        Box::pin(async move {
            if let Some(budget) = &self.edge.hedges {
                budget.lock().expect("no panic while held").deposit(clock::now_ns());
            }
            let mut again = parcel.clone();
            again.cx.attempt |= SECOND;
            let first = pin!(self.inner.send(parcel));
            let first = match select(first, pin!(sleep(hedge.after.duration()))).await {
                Either::Left((result, _)) => return result,
                Either::Right(((), first)) => first,
            };
            if !self.paid() {
                return first.await;
            }
            self.edge.metrics.retry();
            match select(first, pin!(self.inner.send(again))).await {
                Either::Left((Ok(reply), _)) | Either::Right((Ok(reply), _)) => Ok(reply),
                Either::Left((Err(_), second)) => second.await,
                Either::Right((Err(_), first)) => first.await,
            }
        })
    }
}
