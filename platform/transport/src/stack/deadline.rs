//! Deadline: nothing is begun too late, and nothing is waited for longer.

use std::sync::Arc;

use contract::Refusal;
use tokio::time::timeout_at;

use super::{Layer, Parcel, Sent};
use crate::carrier::in_time;
use crate::edge::{Came, Edge, Failure};

pub(super) struct InTime<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> InTime<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for InTime<L> {
    fn send(&self, parcel: Parcel) -> Sent<'_> {
        Box::pin(async move {
            if let Err(refusal) = in_time(&parcel.cx) {
                telemetry::deadline_refused(self.edge.caller);
                return Err(Failure::new(refusal, Came::Shed("deadline")));
            }
            let until = parcel.cx.deadline.instant();
            match timeout_at(until.into(), self.inner.send(parcel)).await {
                Ok(result) => result,
                Err(_) => Err(Failure::new(Refusal::too_late(), Came::Unanswered("timeout"))),
            }
        })
    }
}
