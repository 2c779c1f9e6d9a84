//! Deadline: nothing is begun too late, and nothing is waited for longer.

use std::sync::Arc;

use contract::{Deadline, Refusal};
use runtime::clock;
use tokio::time::timeout_at;

use super::{Layer, Parcel, Sent};
use crate::carrier::in_time;
use crate::edge::{Came, Edge, Failure};
use crate::headers::MAX_DEADLINE;

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
    fn send(&self, mut parcel: Parcel) -> Sent<'_> {
        if !self.edge.policy.deadline {
            // Switched off to show what it is good for: nobody is told how long anybody waits.
            parcel.cx.deadline = Deadline::after(clock::now(), MAX_DEADLINE);
            return self.inner.send(parcel);
        }
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
