//! Throttle: calls are held back in proportion to what the callee turns away.

use std::sync::{Arc, Mutex, MutexGuard};

use contract::{Refusal, RefusalKind};
use policy::throttle::Throttle;
use runtime::{clock, random};

use super::{CallFuture, Layer, OutboundCall};
use crate::edge::{CallFailure, Edge, Progress};

pub(super) struct ThrottleLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> ThrottleLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

fn locked(throttle: &Mutex<Throttle>) -> MutexGuard<'_, Throttle> {
    throttle.lock().expect("no panic while held")
}

/// Overload is what throttling is about; any other answer is an accepted call.
fn is_overload(failure: &CallFailure) -> bool {
    match failure.progress {
        Progress::Answered => failure.refusal.kind == RefusalKind::Unavailable,
        Progress::Shed(_) | Progress::NotSent(_) | Progress::Unanswered(_) | Progress::ResponseStarted => {
            true
        }
    }
}

impl<L: Layer> Layer for ThrottleLayer<L> {
    fn send(&self, outbound: OutboundCall) -> CallFuture<'_> {
        let Some(throttle) = &self.edge.throttle else { return self.inner.send(outbound) };
        Box::pin(async move {
            let die = (random::bits() >> 11) as f64 / (1u64 << 53) as f64;
            if !locked(throttle).admits(clock::now_ns(), die) {
                self.edge.metrics.shed("throttle");
                let refusal =
                    Refusal::unavailable("throttled", "the callee turns most calls away; held back");
                return Err(CallFailure::new(refusal, Progress::Shed("throttle")));
            }
            let result = self.inner.send(outbound).await;
            if !result.as_ref().is_err_and(is_overload) {
                locked(throttle).accepted(clock::now_ns());
            }
            result
        })
    }
}
