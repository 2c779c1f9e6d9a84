//! Throttle: calls are held back in proportion to what the callee turns away.

use std::sync::{Arc, Mutex, MutexGuard};

use contract::{Refusal, RefusalKind};
use policy::throttle::Throttle;
use runtime::{chance, clock};

use super::{Layer, Parcel, Sent};
use crate::edge::{Came, Edge, Failure};

pub(super) struct Throttled<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> Throttled<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

fn locked(throttle: &Mutex<Throttle>) -> MutexGuard<'_, Throttle> {
    throttle.lock().expect("no panic while held")
}

/// Overload is what throttling is about; any other answer is an accepted call.
fn turned_away(failure: &Failure) -> bool {
    match failure.came {
        Came::Answered => failure.refusal.kind == RefusalKind::Unavailable,
        Came::Shed(_) | Came::NotSent(_) | Came::Unanswered(_) | Came::Begun => true,
    }
}

impl<L: Layer> Layer for Throttled<L> {
    fn send(&self, parcel: Parcel) -> Sent<'_> {
        let Some(throttle) = &self.edge.throttle else { return self.inner.send(parcel) };
        Box::pin(async move {
            let die = (chance::bits() >> 11) as f64 / (1u64 << 53) as f64;
            if !locked(throttle).admits(clock::now_ns(), die) {
                self.edge.metrics.shed("throttle");
                let refusal =
                    Refusal::unavailable("throttled", "the callee turns most calls away; held back");
                return Err(Failure::new(refusal, Came::Shed("throttle")));
            }
            let result = self.inner.send(parcel).await;
            if !result.as_ref().is_err_and(turned_away) {
                locked(throttle).accepted(clock::now_ns());
            }
            result
        })
    }
}
