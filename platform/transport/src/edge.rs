//! What the layers of one caller and callee share.

use std::sync::{Arc, Mutex, MutexGuard};

use contract::{ComponentName, Refusal};
use fault::LeaseTable;
use policy::adaptive_concurrency::AdaptiveConcurrency;
use policy::breaker::{Breaker, BreakerState};
use policy::budget::RetryBudget;
use policy::bulkhead::Bulkhead;
use policy::throttle::Throttle;
use policy::{Balance, EffectivePolicy, Picker};
use runtime::random;
use telemetry::EdgeMetrics;

use crate::cluster::{Cluster, Endpoint};

/// One caller and one callee: the policy between them, and what it remembers.
pub struct Edge {
    pub(crate) caller: ComponentName,
    pub(crate) callee: ComponentName,
    pub(crate) policy: EffectivePolicy,
    pub(crate) faults: Arc<LeaseTable>,
    pub(crate) breaker: Option<Mutex<Breaker>>,
    pub(crate) budget: Option<Mutex<RetryBudget>>,
    pub(crate) bulkhead: Option<Arc<Bulkhead>>,
    pub(crate) concurrency: Option<AdaptiveConcurrency>,
    /// What second tries are paid from.
    pub(crate) hedge_budget: Option<Mutex<RetryBudget>>,
    pub(crate) throttle: Option<Mutex<Throttle>>,
    pub(crate) metrics: Arc<EdgeMetrics>,
    cluster: Arc<Cluster>,
    picker: Picker,
}

impl Edge {
    /// An edge that has seen nothing. `faults` are those in force in the caller's process.
    pub fn new(
        caller: ComponentName,
        cluster: Arc<Cluster>,
        policy: EffectivePolicy,
        faults: Arc<LeaseTable>,
    ) -> Self {
        let callee = cluster.name();
        let metrics = EdgeMetrics::of(caller, callee);
        let concurrency = policy.adaptive_concurrency.map(AdaptiveConcurrency::new);
        if let Some(concurrency) = &concurrency {
            metrics.concurrency_limit(concurrency.limit());
        }
        Self {
            caller,
            callee,
            faults,
            breaker: policy.breaker.map(|options| Mutex::new(Breaker::new(options))),
            budget: policy.budget.map(|options| Mutex::new(RetryBudget::new(options))),
            bulkhead: policy.bulkhead.map(|places| Arc::new(Bulkhead::new(places))),
            concurrency,
            hedge_budget: policy.hedge.map(|options| Mutex::new(options.budget())),
            throttle: policy.throttle.map(|options| Mutex::new(Throttle::new(options))),
            metrics,
            cluster,
            picker: Picker::new(policy.balance),
            policy,
        }
    }

    /// The component that is called.
    pub fn callee(&self) -> ComponentName {
        self.callee
    }

    /// The policy in force, with every blank filled in: printed in the run record.
    pub fn policy(&self) -> &EffectivePolicy {
        &self.policy
    }

    /// The copies that may be asked.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// State of the breaker; closed where there is none.
    pub fn circuit(&self) -> BreakerState {
        self.breaker.as_ref().map_or(BreakerState::Closed, |breaker| locked(breaker).state())
    }

    /// Calls that may be under way as latency is now; `None` where that is not asked.
    pub fn concurrency_limit(&self) -> Option<u32> {
        self.concurrency.as_ref().map(AdaptiveConcurrency::limit)
    }

    /// Closes the breaker and puts an adaptive limit where it began, whatever they have seen.
    pub fn reset(&self) {
        if let Some(breaker) = &self.breaker {
            locked(breaker).reset();
            self.metrics.circuit(BreakerState::Closed.gauge());
        }
        if let Some(concurrency) = &self.concurrency {
            concurrency.reset();
            self.metrics.concurrency_limit(concurrency.limit());
        }
    }

    /// Retries that could be made now; `None` where they are free.
    pub fn retries_left(&self) -> Option<f64> {
        self.budget.as_ref().map(|budget| locked(budget).balance())
    }

    /// Whether a fault may act on calls of this edge.
    pub fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// The copy to ask. `affinity` is a hash of what is asked for, made only where it decides.
    pub(crate) fn pick(
        &self,
        avoid: Option<&Arc<Endpoint>>,
        affinity: impl FnOnce() -> u64,
    ) -> Option<Arc<Endpoint>> {
        if self.policy.balance != Balance::BoundedHash {
            return self.cluster.pick_by(&self.picker, avoid, random::bits);
        }
        let picked = self.cluster.pick_by(&self.picker, avoid, affinity);
        self.metrics.overflowed(self.picker.take_overflows());
        picked
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while held")
}

/// A message's end without a reply that can be used, as the layers see it.
#[derive(Debug)]
pub struct CallFailure<R> {
    /// Kind, code and sentence.
    pub refusal: Refusal,
    /// How far the message came.
    pub progress: Progress,
    /// The endpoint that was asked, so that another may be next.
    pub endpoint: Option<Arc<Endpoint>>,
    /// The callee's own answer, where it can still be passed on as it is.
    pub reply: Option<Box<R>>,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It was held back here, on purpose: `circuit_open`, `bulkhead`, `adaptive_concurrency`. Not tried again.
    Shed(&'static str),
    /// The client's own deadline passed, or its body is gone. Not tried again, and nothing is learned.
    CallerFailed(&'static str),
    /// Nothing was sent, for this reason.
    NotSent(&'static str),
    /// It was sent, and nothing came back.
    Unanswered(&'static str),
    /// It was answered with this status.
    Answered(u16),
    /// The answer broke off.
    ResponseStarted,
}

impl<R> CallFailure<R> {
    /// A failure at no endpoint in particular.
    pub fn new(refusal: Refusal, progress: Progress) -> Self {
        Self { refusal, progress, endpoint: None, reply: None }
    }

    /// The failure with its reply, if it has one, replaced.
    #[must_use]
    pub fn map_reply(self, change: impl FnOnce(R) -> R) -> Self {
        Self { reply: self.reply.map(|reply| Box::new(change(*reply))), ..self }
    }

    /// For metrics: the status where there was one, else the reason.
    pub(crate) fn result(&self) -> Result<u16, &'static str> {
        match self.progress {
            Progress::Answered(status) => Ok(status),
            Progress::Shed(why)
            | Progress::CallerFailed(why)
            | Progress::NotSent(why)
            | Progress::Unanswered(why) => Err(why),
            Progress::ResponseStarted => Err("broken_off"),
        }
    }
}
