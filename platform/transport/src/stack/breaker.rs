//! Breaker: an edge that mostly fails is left alone for a while. It sees every try.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::Refusal;
use policy::breaker::{Breaker, Generation, Permission};
use runtime::clock;

use super::{Layer, Message, OutboundCall, Outcome};
use crate::edge::{CallFailure, Edge, Progress};

pub(super) struct BreakerLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> BreakerLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

/// An admitted try. One that is dropped without a result frees its probe and teaches nothing.
struct Probe<'a> {
    edge: &'a Edge,
    breaker: &'a Mutex<Breaker>,
    generation: Generation,
    reported: bool,
}

impl Probe<'_> {
    fn report(mut self, ok: bool) {
        self.reported = true;
        let mut breaker = self.breaker.lock().expect("no panic while held");
        let before = breaker.state();
        breaker.on_result(clock::now_ns(), self.generation, ok);
        let after = breaker.state();
        drop(breaker);
        if before != after {
            self.edge.metrics.circuit(after.gauge());
            let (caller, callee) = (self.edge.caller, self.edge.callee);
            tracing::warn!(%caller, %callee, ?before, ?after, "circuit breaker");
        }
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if !self.reported {
            self.breaker.lock().expect("no panic while held").release(self.generation);
        }
    }
}

impl<L: Layer> BreakerLayer<L> {
    fn admit<'a>(&'a self, breaker: &'a Mutex<Breaker>, now_ns: u64) -> Result<Probe<'a>, Refusal> {
        let permission = {
            let mut breaker = breaker.lock().expect("no panic while held");
            let before = breaker.state();
            let permission = breaker.admit(now_ns);
            if breaker.state() != before {
                self.edge.metrics.circuit(breaker.state().gauge());
            }
            permission
        };
        match permission {
            Permission::Granted(generation) => {
                Ok(Probe { edge: &self.edge, breaker, generation, reported: false })
            }
            Permission::Denied(left_ns) => {
                self.edge.metrics.shed("circuit_open");
                let message = format!("`{}` has failed too often and is left alone", self.edge.callee);
                let mut refusal = Refusal::unavailable("circuit_open", message);
                refusal.retry_after = Some(Duration::from_nanos(left_ns));
                Err(refusal)
            }
        }
    }
}

impl<L: Layer> Layer for BreakerLayer<L> {
    async fn send<M: Message>(&self, outbound: OutboundCall<M>) -> Outcome<M> {
        let Some(breaker) = &self.edge.breaker else { return self.inner.send(outbound).await };
        let probe = self
            .admit(breaker, clock::ns_at(outbound.began))
            .map_err(|refusal| CallFailure::new(refusal, Progress::Shed("circuit_open")))?;
        let result = self.inner.send(outbound).await;
        match &result {
            Ok(_) => probe.report(true),
            // Held back or broken off on this side: the callee has had no part in it.
            Err(CallFailure { progress: Progress::Shed(_) | Progress::CallerFailed(_), .. }) => drop(probe),
            // A callee that says how much it can take is well.
            Err(failure) if failure.refusal.is_shed => drop(probe),
            Err(failure) => probe.report(!failure.refusal.kind.is_failure()),
        }
        result
    }
}
