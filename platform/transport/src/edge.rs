//! What the layers of one caller and callee share.

use std::sync::{Arc, Mutex};

use contract::{ComponentName, Refusal};
use fault::LeaseTable;
use http::HeaderValue;
use policy::breaker::{Breaker, BreakerState};
use policy::budget::RetryBudget;
use policy::bulkhead::Bulkhead;
use policy::throttle::Throttle;
use policy::{EffectivePolicy, Picker};
use telemetry::EdgeMetrics;

use crate::call_router::RouterState;
use crate::cluster::{Cluster, Endpoint};

/// One caller and one callee: the policy between them, and what it remembers.
pub struct Edge {
    pub(crate) caller: ComponentName,
    pub(crate) callee: ComponentName,
    pub(crate) policy: EffectivePolicy,
    pub(crate) faults: Arc<LeaseTable>,
    pub(crate) token: Option<HeaderValue>,
    /// Version of the messages spoken here.
    pub(crate) schema: u32,
    pub(crate) breaker: Option<Mutex<Breaker>>,
    pub(crate) budget: Option<Mutex<RetryBudget>>,
    pub(crate) bulkhead: Option<Arc<Bulkhead>>,
    /// What second tries are paid from.
    pub(crate) hedge_budget: Option<Mutex<RetryBudget>>,
    pub(crate) throttle: Option<Mutex<Throttle>>,
    pub(crate) metrics: Arc<EdgeMetrics>,
    cluster: Arc<Cluster>,
    picker: Picker,
}

impl Edge {
    pub(crate) fn new(caller: ComponentName, callee: ComponentName, router_state: &RouterState) -> Self {
        let policy = router_state.policy(caller, callee);
        Self {
            caller,
            callee,
            faults: router_state.options.faults.clone(),
            schema: router_state.options.schema,
            token: HeaderValue::from_str(&router_state.options.token).ok(),
            breaker: policy.breaker.map(|options| Mutex::new(Breaker::new(options))),
            budget: policy.budget.map(|options| Mutex::new(RetryBudget::new(options))),
            bulkhead: policy.bulkhead.map(|places| Arc::new(Bulkhead::new(places))),
            hedge_budget: policy.hedge.map(|options| Mutex::new(options.budget())),
            throttle: policy.throttle.map(|options| Mutex::new(Throttle::new(options))),
            metrics: EdgeMetrics::of(caller, callee),
            cluster: router_state.options.clusters.get(callee),
            picker: Picker::new(policy.balance),
            policy,
        }
    }

    /// The policy in force, with every blank filled in: printed in the run record.
    pub fn policy(&self) -> &EffectivePolicy {
        &self.policy
    }

    /// Where the breaker stands; closed where there is none.
    pub fn circuit(&self) -> BreakerState {
        let state = |breaker: &Mutex<Breaker>| breaker.lock().expect("no panic while held").state();
        self.breaker.as_ref().map_or(BreakerState::Closed, state)
    }

    pub(crate) fn pick(&self, avoid: Option<&Arc<Endpoint>>) -> Option<Arc<Endpoint>> {
        self.cluster.pick_by(&self.picker, avoid)
    }
}

/// A call's end without a reply, as the layers see it.
#[derive(Debug)]
pub(crate) struct CallFailure {
    pub refusal: Refusal,
    pub progress: Progress,
    /// Who was asked, so that another may be next.
    pub endpoint: Option<Arc<Endpoint>>,
}

/// How far the call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It was held back here, on purpose: `circuit_open`, `bulkhead`. Not tried again.
    Shed(&'static str),
    /// Nothing was sent, for this reason.
    NotSent(&'static str),
    /// It was sent, and nothing came back.
    Unanswered(&'static str),
    /// It was answered with the refusal.
    Answered,
    /// The answer broke off.
    ResponseStarted,
}

impl CallFailure {
    pub fn new(refusal: Refusal, progress: Progress) -> Self {
        Self { refusal, progress, endpoint: None }
    }

    /// For metrics: the status where there was one, else the reason.
    pub fn result(&self) -> Result<u16, &'static str> {
        match self.progress {
            Progress::Answered => Ok(self.refusal.kind.status()),
            Progress::Shed(why) | Progress::NotSent(why) | Progress::Unanswered(why) => Err(why),
            Progress::ResponseStarted => Err("broken_off"),
        }
    }
}
