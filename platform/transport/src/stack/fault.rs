//! Faults of the edge, on the caller's side and below its policies.

use std::sync::Arc;

use contract::Refusal;
use fault::Side;

use super::{CallFuture, Layer, OutboundCall};
use crate::attempt::AttemptError;
use crate::edge::{CallFailure, Edge, Progress};
use crate::fault_injection::{self, AppliedFault, FaultOutcome, InjectionPoint, apply_faults};

pub(super) struct FaultLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> FaultLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for FaultLayer<L> {
    fn send(&self, mut outbound: OutboundCall) -> CallFuture<'_> {
        let Edge { faults, callee, .. } = &*self.edge;
        if faults.is_empty() {
            return self.inner.send(outbound);
        }
        Box::pin(async move {
            // Some faults are between two copies: whom to ask is decided before.
            outbound.to = self.edge.pick(outbound.avoid.as_ref());
            let to = outbound.to.clone();
            let copy = to.as_ref().map(|endpoint| endpoint.instance.id.as_str());
            let point = InjectionPoint { side: Side::Caller, callee: *callee, route: outbound.name, copy };
            let result = match apply_faults(faults, point, &outbound.cx).await {
                Ok(applied) => self.apply(applied, outbound).await,
                Err(outcome) => Err(failure(outcome)),
            };
            result.map_err(|failure| CallFailure { endpoint: failure.endpoint.or(to), ..failure })
        })
    }
}

impl<L: Layer> FaultLayer<L> {
    async fn apply(
        &self,
        applied: AppliedFault,
        outbound: OutboundCall,
    ) -> Result<bytes::Bytes, CallFailure> {
        let deadline = outbound.cx.deadline;
        let again = applied.twice.then(|| outbound.clone());
        let result = match again {
            Some(again) => futures_util::join!(self.inner.send(outbound), self.inner.send(again)).0,
            None => self.inner.send(outbound).await,
        };
        if applied.answer_lost {
            fault_injection::hang_until(deadline).await;
            return Err(failure(FaultOutcome::Hung));
        }
        match applied.spoilt {
            Some(how) => result.map(|answer| fault_injection::corrupt(how, &answer)),
            None => result,
        }
    }
}

/// As if the callee or the network had said so: the policies above must not know better.
fn failure(outcome: FaultOutcome) -> CallFailure {
    match outcome {
        FaultOutcome::Aborted(refusal) => CallFailure::new(refusal, Progress::Answered),
        FaultOutcome::Hung => {
            CallFailure::new(AttemptError::TimedOut.refusal(), Progress::Unanswered("timeout"))
        }
        FaultOutcome::Refused => {
            CallFailure::new(Refusal::from(FaultOutcome::Refused), Progress::NotSent("connect"))
        }
        FaultOutcome::Reset => {
            CallFailure::new(Refusal::from(FaultOutcome::Reset), Progress::Unanswered("connection_lost"))
        }
    }
}
