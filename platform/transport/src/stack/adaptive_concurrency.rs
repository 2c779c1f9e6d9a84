//! Adaptive concurrency: as many calls are under way as the latency of the callee allows.

use std::future::Future;
use std::sync::Arc;

use contract::{Refusal, RefusalKind};
use futures_util::future::Either;
use policy::adaptive_concurrency::AdaptiveConcurrency;
use runtime::clock;

use super::bulkhead::RETRY_AFTER;
use super::message::guarded;
use super::{Layer, Message, OutboundCall, Outcome};
use crate::edge::{CallFailure, Edge, Progress};

pub(super) struct AdaptiveConcurrencyLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> AdaptiveConcurrencyLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

/// Whether the time that a try took is the callee's: it answered, or did not while its caller waited. What is refused at once
/// would make it look fast, and a client that waits for less than others would make it look slow.
fn shows_latency<R>(outcome: &Result<R, CallFailure<R>>) -> bool {
    let Err(failure) = outcome else { return true };
    let kind = failure.refusal.kind;
    match failure.progress {
        Progress::Answered(_) => !kind.is_failure() || kind == RefusalKind::DeadlineExceeded,
        Progress::Unanswered(_) => kind == RefusalKind::DeadlineExceeded,
        Progress::Shed(_) | Progress::CallerFailed(_) | Progress::NotSent(_) | Progress::ResponseStarted => {
            false
        }
    }
}

impl<L: Layer> AdaptiveConcurrencyLayer<L> {
    async fn admitted<M: Message>(
        &self,
        concurrency: &AdaptiveConcurrency,
        outbound: OutboundCall<M>,
    ) -> Outcome<M> {
        let Some(permit) = concurrency.try_acquire() else {
            self.edge.metrics.shed("adaptive_concurrency");
            let message =
                format!("`{}` has as many calls under way from here as its latency allows", self.edge.callee);
            let mut refusal = Refusal::unavailable("concurrency_limited", message);
            refusal.retry_after = Some(RETRY_AFTER);
            return Err(CallFailure::new(refusal, Progress::Shed("adaptive_concurrency")));
        };
        let began = outbound.began;
        let outcome = self.inner.send(outbound).await;
        if shows_latency(&outcome) {
            let ended = clock::now();
            let took_ns = (ended - began).as_nanos() as u64;
            if let Some(limit) = concurrency.observe(&permit, clock::ns_at(ended), took_ns) {
                self.edge.metrics.concurrency_limit(limit);
            }
        }
        guarded::<M>(outcome, permit)
    }
}

impl<L: Layer> Layer for AdaptiveConcurrencyLayer<L> {
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send {
        match &self.edge.concurrency {
            // Boxed: what few edges have must not add to the size of every other call.
            Some(concurrency) => Either::Left(Box::pin(self.admitted(concurrency, outbound))),
            None => Either::Right(self.inner.send(outbound)),
        }
    }
}
