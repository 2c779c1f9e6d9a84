//! Bulkhead: a slow callee must not take all places of its caller.

use std::sync::Arc;

use contract::Refusal;

use super::{Layer, Parcel, Sent};
use crate::edge::{Came, Edge, Failure};

pub(super) struct Walled<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> Walled<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for Walled<L> {
    fn send(&self, parcel: Parcel) -> Sent<'_> {
        let Some(bulkhead) = &self.edge.bulkhead else { return self.inner.send(parcel) };
        Box::pin(async move {
            let Some(_place) = bulkhead.try_acquire() else {
                self.edge.metrics.shed("bulkhead");
                let refusal = Refusal::unavailable("bulkhead_full", "as many calls are under way as may be");
                return Err(Failure::new(refusal, Came::Shed("bulkhead")));
            };
            self.inner.send(parcel).await
        })
    }
}
