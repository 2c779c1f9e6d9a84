//! Bulkhead: a slow callee must not take all places of its caller.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use contract::Refusal;
use futures_util::future::Either;
use policy::bulkhead::Bulkhead;

use super::message::guarded;
use super::{Layer, Message, OutboundCall, Outcome};
use crate::edge::{CallFailure, Edge, Progress};

/// When a call that found no place may come back.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) struct BulkheadLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> BulkheadLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> BulkheadLayer<L> {
    async fn admitted<M: Message>(&self, bulkhead: &Arc<Bulkhead>, outbound: OutboundCall<M>) -> Outcome<M> {
        let Some(permit) = bulkhead.try_acquire() else {
            self.edge.metrics.shed("bulkhead");
            let message =
                format!("`{}` has as many calls under way from here as it may have", self.edge.callee);
            let mut refusal = Refusal::unavailable("bulkhead_full", message);
            refusal.retry_after = Some(RETRY_AFTER);
            return Err(CallFailure::new(refusal, Progress::Shed("bulkhead")));
        };
        guarded::<M>(self.inner.send(outbound).await, permit)
    }
}

impl<L: Layer> Layer for BulkheadLayer<L> {
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send {
        match &self.edge.bulkhead {
            // Boxed: what few edges have must not add to the size of every other call.
            Some(bulkhead) => Either::Left(Box::pin(self.admitted(bulkhead, outbound))),
            None => Either::Right(self.inner.send(outbound)),
        }
    }
}
