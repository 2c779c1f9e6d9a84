//! Throttle: calls are held back in proportion to what the callee turns away.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use contract::{Refusal, RefusalKind};
use futures_util::future::Either;
use policy::throttle::Throttle;
use runtime::{clock, random};

use super::{Layer, Message, OutboundCall, Outcome};
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

/// A call that was let through, counted when it is over. One that is dropped has been given up by its caller, or overtaken by a
/// second try: the callee has turned nothing away.
struct ThrottledCall<'a> {
    throttle: &'a Mutex<Throttle>,
    is_turned_away: bool,
}

impl Drop for ThrottledCall<'_> {
    fn drop(&mut self) {
        if !self.is_turned_away {
            locked(self.throttle).accepted(clock::now_ns());
        }
    }
}

/// Overload is what throttling is about; any other answer is an accepted call.
fn is_overload<R>(failure: &CallFailure<R>) -> bool {
    match failure.progress {
        Progress::Answered(_) => failure.refusal.kind == RefusalKind::Unavailable,
        Progress::CallerFailed(_) => false,
        Progress::Shed(_) | Progress::NotSent(_) | Progress::Unanswered(_) | Progress::ResponseStarted => {
            true
        }
    }
}

impl<L: Layer> ThrottleLayer<L> {
    async fn throttled<M: Message>(
        &self,
        throttle: &Mutex<Throttle>,
        outbound: OutboundCall<M>,
    ) -> Outcome<M> {
        let die = (random::bits() >> 11) as f64 / (1u64 << 53) as f64;
        if !locked(throttle).admits(clock::now_ns(), die) {
            self.edge.metrics.shed("throttle");
            let message = format!("`{}` turns most calls away; this one is held back", self.edge.callee);
            let refusal = Refusal::unavailable("throttled", message);
            return Err(CallFailure::new(refusal, Progress::Shed("throttle")));
        }
        let mut call = ThrottledCall { throttle, is_turned_away: false };
        let result = self.inner.send(outbound).await;
        call.is_turned_away = result.as_ref().is_err_and(is_overload);
        result
    }
}

impl<L: Layer> Layer for ThrottleLayer<L> {
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send {
        match &self.edge.throttle {
            // Boxed: what few edges have must not add to the size of every other call.
            Some(throttle) => Either::Left(Box::pin(self.throttled(throttle, outbound))),
            None => Either::Right(self.inner.send(outbound)),
        }
    }
}
