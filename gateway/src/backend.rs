//! A component behind the door: how to reach it, and what was learned on the way.
//!
//! Lives outside the route table: a reload forgets no breaker, budget or average.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use contract::{ComponentName, Refusal};
use policy::breaker::{Breaker, BreakerState, Generation, Permission};
use policy::budget::RetryBudget;
use policy::bulkhead::{Bulkhead, BulkheadPermit};
use policy::{EffectivePolicy, Picker};
use runtime::clock;
use telemetry::EdgeMetrics;
use transport::{Cluster, Endpoint};

/// Where a component is.
#[derive(Clone)]
pub enum Upstream {
    /// In other processes.
    Cluster(Arc<Cluster>),
    /// In this one: its router is called, and nothing is encoded.
    Local(Router),
}

/// A component as the door knows it.
pub(crate) struct Backend {
    pub name: ComponentName,
    pub location: Location,
}

pub(crate) enum Location {
    Remote(Box<Remote>),
    /// Breaker, budget and retries are for networks; a function call has none.
    Local(Router),
}

/// The edge from the door to a component in other processes.
pub(crate) struct Remote {
    pub policy: EffectivePolicy,
    pub metrics: Arc<EdgeMetrics>,
    pub cluster: Arc<Cluster>,
    name: ComponentName,
    picker: Picker,
    breaker: Option<Mutex<Breaker>>,
    budget: Option<Mutex<RetryBudget>>,
    bulkhead: Option<Arc<Bulkhead>>,
}

impl Backend {
    pub fn new(name: ComponentName, upstream: Upstream, policy: EffectivePolicy) -> Self {
        let location = match upstream {
            Upstream::Local(router) => Location::Local(router),
            Upstream::Cluster(cluster) => Location::Remote(Box::new(Remote::new(name, cluster, policy))),
        };
        Self { name, location }
    }
}

impl Remote {
    fn new(name: ComponentName, cluster: Arc<Cluster>, policy: EffectivePolicy) -> Self {
        Self {
            metrics: EdgeMetrics::of(ComponentName::GATEWAY, name),
            cluster,
            name,
            picker: Picker::new(policy.balance),
            breaker: policy.breaker.map(|options| Mutex::new(Breaker::new(options))),
            budget: policy.budget.map(|options| Mutex::new(RetryBudget::new(options))),
            bulkhead: policy.bulkhead.map(|places| Arc::new(Bulkhead::new(places))),
            policy,
        }
    }

    /// The copy to ask; another than `avoid` where there is one.
    pub fn pick(&self, avoid: Option<&Arc<Endpoint>>) -> Option<Arc<Endpoint>> {
        self.cluster.pick_by(&self.picker, avoid)
    }

    /// A request begins: it earns a share of a retry.
    pub fn deposit(&self) {
        if let Some(budget) = &self.budget {
            locked(budget).deposit(clock::now_ns());
        }
    }

    /// Whether the budget pays for a retry.
    pub fn withdraw(&self) -> bool {
        let paid = self.budget.as_ref().is_none_or(|budget| locked(budget).withdraw(clock::now_ns()));
        if !paid {
            self.metrics.shed("budget");
        }
        paid
    }

    /// Retries that could be made now; `None` where they are free.
    pub fn balance(&self) -> Option<f64> {
        self.budget.as_ref().map(|budget| locked(budget).balance())
    }

    /// Where the breaker stands; closed where there is none.
    pub fn circuit(&self) -> BreakerState {
        self.breaker.as_ref().map_or(BreakerState::Closed, |breaker| locked(breaker).state())
    }

    /// Whether a try may be made. The probe must be told how it ended.
    pub fn admit(&self) -> Result<Probe<'_>, Refusal> {
        let Some(breaker) = &self.breaker else { return Ok(Probe { remote: self, generation: None }) };
        let admitted = {
            let mut breaker = locked(breaker);
            let before = breaker.state();
            let admitted = breaker.admit(clock::now_ns());
            self.record(before, breaker.state());
            admitted
        };
        match admitted {
            Permission::Granted(generation) => Ok(Probe { remote: self, generation: Some(generation) }),
            Permission::Denied(left_ns) => {
                self.metrics.shed("circuit_open");
                let message = format!("`{}` has failed too often and is left alone", self.name);
                let mut refusal = Refusal::unavailable("circuit_open", message);
                refusal.retry_after = Some(Duration::from_nanos(left_ns));
                Err(refusal)
            }
        }
    }

    /// A place among the requests this component may have from here.
    pub fn enter(&self) -> Result<Option<BulkheadPermit>, Refusal> {
        let Some(bulkhead) = &self.bulkhead else { return Ok(None) };
        bulkhead.try_acquire().map(Some).ok_or_else(|| {
            self.metrics.shed("bulkhead");
            let message = format!("`{}` has as many requests under way as it may have", self.name);
            let mut refusal = Refusal::unavailable("bulkhead_full", message);
            refusal.retry_after = Some(Duration::from_secs(1));
            refusal
        })
    }

    fn record(&self, before: BreakerState, after: BreakerState) {
        if before != after {
            self.metrics.circuit(after.gauge());
            tracing::warn!(callee = %self.name, ?before, ?after, "circuit breaker");
        }
    }
}

/// An admitted try. One that is given up tells nothing, and frees its probe.
pub(crate) struct Probe<'a> {
    remote: &'a Remote,
    /// Until it is told how the try ended; none without a breaker.
    generation: Option<Generation>,
}

impl Probe<'_> {
    /// How the try ended.
    pub fn report(mut self, ok: bool) {
        if let Some((breaker, generation)) = self.remote.breaker.as_ref().zip(self.generation.take()) {
            let mut breaker = locked(breaker);
            let before = breaker.state();
            breaker.on_result(clock::now_ns(), generation, ok);
            self.remote.record(before, breaker.state());
        }
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some((breaker, generation)) = self.remote.breaker.as_ref().zip(self.generation) {
            locked(breaker).release(generation);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while held")
}
