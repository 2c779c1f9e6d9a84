//! Faults of the edge, on the caller's side and below its policies.

use std::sync::Arc;

use contract::Refusal;
use fault::Side;

use super::{Layer, Parcel, Sent};
use crate::attempt::Failed;
use crate::edge::{Came, Edge, Failure};
use crate::injury::{self, Injury, Suffered, Way, suffer};

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
    fn send(&self, mut parcel: Parcel) -> Sent<'_> {
        let Edge { faults, callee, .. } = &*self.edge;
        if faults.is_empty() {
            return self.inner.send(parcel);
        }
        Box::pin(async move {
            // Some faults are between two copies: whom to ask is decided before.
            parcel.to = self.edge.pick(parcel.avoid.as_ref());
            let to = parcel.to.clone();
            let copy = to.as_ref().map(|endpoint| endpoint.instance.id.as_str());
            let way = Way { side: Side::Caller, callee: *callee, route: parcel.name, copy };
            let result = match suffer(faults, way, &parcel.cx).await {
                Ok(suffered) => self.suffering(suffered, parcel).await,
                Err(injury) => Err(failure(injury)),
            };
            result.map_err(|failure| Failure { endpoint: failure.endpoint.or(to), ..failure })
        })
    }
}

impl<L: Layer> Faults<L> {
    async fn suffering(&self, suffered: Suffered, parcel: Parcel) -> Result<bytes::Bytes, Failure> {
        let deadline = parcel.cx.deadline;
        let again = suffered.twice.then(|| parcel.clone());
        let result = match again {
            Some(again) => futures_util::join!(self.inner.send(parcel), self.inner.send(again)).0,
            None => self.inner.send(parcel).await,
        };
        if suffered.answer_lost {
            injury::hang(deadline).await;
            return Err(failure(Injury::Hung));
        }
        match suffered.spoilt {
            Some(how) => result.map(|answer| injury::spoil(how, &answer)),
            None => result,
        }
    }
}

/// As if the callee or the network had said so: the policies above must not know better.
fn failure(injury: Injury) -> Failure {
    match injury {
        Injury::Aborted(refusal) => Failure::new(refusal, Came::Answered),
        Injury::Hung => Failure::new(Failed::TimedOut.refusal(), Came::Unanswered("timeout")),
        Injury::Refused => Failure::new(Refusal::from(Injury::Refused), Came::NotSent("connect")),
        Injury::Reset => Failure::new(Refusal::from(Injury::Reset), Came::Unanswered("connection_lost")),
    }
}
