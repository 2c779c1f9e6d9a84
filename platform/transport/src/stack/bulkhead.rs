//! Bulkhead: a slow callee must not take all places of its caller.

use std::sync::Arc;
use std::time::Duration;

use contract::Refusal;

use super::{Layer, Message, OutboundCall, Outcome};
use crate::edge::{CallFailure, Edge, Progress};

/// When a call that found no place may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

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
    async fn send<M: Message>(&self, outbound: OutboundCall<M>) -> Outcome<M> {
        let Some(bulkhead) = &self.edge.bulkhead else { return self.inner.send(outbound).await };
        let Some(permit) = bulkhead.try_acquire() else {
            self.edge.metrics.shed("bulkhead");
            let message =
                format!("`{}` has as many calls under way from here as it may have", self.edge.callee);
            let mut refusal = Refusal::unavailable("bulkhead_full", message);
            refusal.retry_after = Some(RETRY_AFTER);
            return Err(CallFailure::new(refusal, Progress::Shed("bulkhead")));
        };
        // The place is taken until the reply has ended, which may be long after it began.
        match self.inner.send(outbound).await {
            Ok(reply) => Ok(M::guarded(reply, permit)),
            Err(failure) => Err(failure.map_reply(|reply| M::guarded(reply, permit))),
        }
    }
}
