//! Faults of the edge, on the caller's side and below its policies.

use std::future::Future;
use std::sync::Arc;

use contract::Refusal;
use fault::Side;
use futures_util::future::Either;
use runtime::clock;

use super::{Layer, Message, OutboundCall, Outcome};
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
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send {
        if self.edge.faults.is_empty() {
            return Either::Right(self.inner.send(outbound));
        }
        // Boxed: what is rare must not add to the size of every other call.
        Either::Left(Box::pin(self.under_faults(outbound)))
    }
}

impl<L: Layer> FaultLayer<L> {
    async fn under_faults<M: Message>(&self, mut outbound: OutboundCall<M>) -> Outcome<M> {
        let Edge { faults, callee, .. } = &*self.edge;
        // Some faults are between two copies: the endpoint is chosen before.
        outbound.to = self.edge.pick(outbound.avoid.as_ref(), || outbound.message.affinity());
        let to = outbound.to.clone();
        let copy = to.as_ref().map(|endpoint| endpoint.instance.id.as_str());
        let message = outbound.message.clone();
        let route = message.route();
        let point = InjectionPoint { side: Side::Caller, callee: *callee, route: &route, copy };
        let result = match apply_faults(faults, point, &outbound.cx).await {
            Ok(applied) => {
                // A delay may have been injected.
                outbound.began = clock::now();
                self.apply(applied, outbound).await
            }
            Err(outcome) => Err(failure(outcome)),
        };
        result.map_err(|failure| CallFailure { endpoint: failure.endpoint.or(to), ..failure })
    }

    async fn apply<M: Message>(&self, applied: AppliedFault, outbound: OutboundCall<M>) -> Outcome<M> {
        let deadline = outbound.cx.deadline;
        let duplicated = applied.duplicated && outbound.message.is_replayable();
        let again = duplicated.then(|| outbound.clone());
        let result = match again {
            Some(again) => {
                let (result, duplicate) =
                    futures_util::join!(self.inner.send(outbound), self.inner.send(again));
                if let Ok(reply) = duplicate {
                    M::discard(reply);
                }
                result
            }
            None => self.inner.send(outbound).await,
        };
        if applied.answer_lost {
            fault_injection::hang_until(deadline).await;
            return Err(failure(FaultOutcome::Hung));
        }
        match applied.corruption {
            Some(how) => M::corrupt(result?, how).await,
            None => result,
        }
    }
}

/// As if the callee or the network had failed so: the policies above must not see a difference.
fn failure<R>(outcome: FaultOutcome) -> CallFailure<R> {
    match outcome {
        FaultOutcome::Aborted(refusal) => {
            let status = refusal.kind.status();
            CallFailure::new(refusal, Progress::Answered(status))
        }
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
