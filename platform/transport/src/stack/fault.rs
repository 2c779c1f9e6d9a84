//! Faults of the edge, on the caller's side.

use std::sync::Arc;

use fault::Side;

use super::{Layer, Parcel, Sent};
use crate::attempt::Failed;
use crate::edge::{Came, Edge, Failure};
use crate::injury::{Injury, suffer};

pub(super) struct Faults<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> Faults<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for Faults<L> {
    fn send(&self, parcel: Parcel) -> Sent<'_> {
        let Edge { faults, callee, .. } = &*self.edge;
        if faults.is_empty() {
            return self.inner.send(parcel);
        }
        Box::pin(async move {
            match suffer(faults, Side::Caller, *callee, parcel.name, &parcel.cx).await {
                Ok(_) => self.inner.send(parcel).await,
                // As if the callee had said so: the policies above must not know better.
                Err(Injury::Aborted(refusal)) => Err(Failure::new(refusal, Came::Answered)),
                Err(Injury::Hung) => {
                    Err(Failure::new(Failed::TimedOut.refusal(), Came::Unanswered("timeout")))
                }
            }
        })
    }
}
