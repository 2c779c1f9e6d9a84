//! Bulkhead: a slow callee must not take all places of its caller.

use std::sync::Arc;

use contract::Refusal;

use super::{CallFuture, Layer, OutboundCall};
use crate::edge::{CallFailure, Edge, Progress};

pub(super) struct BulkheadLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> BulkheadLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for BulkheadLayer<L> {
    fn send(&self, outbound: OutboundCall) -> CallFuture<'_> {
        let Some(bulkhead) = &self.edge.bulkhead else { return self.inner.send(outbound) };
        Box::pin(async move {
            let Some(_place) = bulkhead.try_acquire() else {
                self.edge.metrics.shed("bulkhead");
                let refusal = Refusal::unavailable("bulkhead_full", "as many calls are under way as may be");
                return Err(CallFailure::new(refusal, Progress::Shed("bulkhead")));
            };
            self.inner.send(outbound).await
        })
    }
}
