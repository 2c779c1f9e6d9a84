//! The policies between a caller and its callee: the structs that a live edge drives, on virtual time.
//!
//! Each copy of a caller has its own, and so its own view: what it has out, what it has seen fail. Balancing that knows the
//! queues of all callees would be too good.

use std::cell::LazyCell;
use std::sync::Arc;

use policy::adaptive_concurrency::{AdaptiveConcurrency, ConcurrencyPermit};
use policy::balance::{COPY_WEIGHT, EndpointLoad, Picker, drawn_weight, median_ns};
use policy::breaker::{Breaker, BreakerState, Generation, Permission};
use policy::budget::RetryBudget;
use policy::bulkhead::{Bulkhead, BulkheadPermit};
use policy::retry::{self, AttemptOutcome, Idempotency};
use policy::throttle::Throttle;
use policy::{EffectivePolicy, outlier};

use super::connections::{Checkout, ConnectionLimits, WaitingRequests};
use crate::engine::{Handle, Rng};

/// How a try, or a call, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// With an answer.
    Done,
    /// Held back on the caller's side: breaker, throttle, bulkhead, adaptive concurrency, deadline.
    HeldBack,
    /// Every connection to the copy was in use, and as many requests waited for one as may.
    NoConnection,
    /// The callee refused it, to protect itself.
    Shed,
    /// The callee failed, with this status.
    Failed(u16),
    /// The connection was refused: nothing was sent.
    Refused,
    /// The connection broke.
    Reset,
    /// No answer came in time.
    TimedOut,
}

impl Outcome {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::HeldBack => "held back",
            Self::NoConnection => "no connection",
            Self::Shed => "shed",
            Self::Failed(_) => "failed",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed out",
        }
    }

    /// What a caller answers whose call ended so.
    pub const fn passed_on(self) -> Self {
        match self {
            Self::Done => Self::Done,
            Self::Failed(status) => Self::Failed(status),
            Self::TimedOut => Self::Failed(504),
            Self::HeldBack | Self::NoConnection | Self::Shed | Self::Refused | Self::Reset => {
                Self::Failed(503)
            }
        }
    }

    /// As the policy of retries sees it; `None` where there is nothing to try again.
    const fn attempt(self) -> Option<AttemptOutcome> {
        match self {
            Self::Done | Self::HeldBack => None,
            // A callee that sheds answers 503 and sends no more than that.
            Self::Shed => Some(AttemptOutcome::Status(503)),
            Self::Failed(status) => Some(AttemptOutcome::Status(status)),
            Self::Refused | Self::NoConnection => Some(AttemptOutcome::NotSent),
            Self::Reset | Self::TimedOut => Some(AttemptOutcome::SentNoResponse),
        }
    }
}

/// A copy of the callee, as one caller sees it: 64 bytes, and of ten thousand copies there are a million.
#[derive(Debug)]
pub struct Endpoint {
    /// What is known of it. It is placed by its instance.
    pub load: EndpointLoad,
    /// Connections to it that carry a request.
    connections_in_use: u32,
    /// Which of the instance's lives that is.
    life: u32,
    /// Its share of requests, by that of the others.
    weight: u32,
    /// Whether it is among the copies of the callee: steps add and remove some.
    is_member: bool,
}

const _: () = assert!(size_of::<Endpoint>() == 64);

impl Endpoint {
    fn new(instance: u32, load: EndpointLoad, life: u32) -> Self {
        let load = load.placed(instance);
        Self { load, connections_in_use: 0, life, weight: COPY_WEIGHT, is_member: true }
    }

    /// The instance.
    pub const fn instance(&self) -> u32 {
        self.load.place()
    }
}

/// What a registry lists of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Whether it is to be asked.
    pub is_listed: bool,
    /// Raised whenever it has started anew.
    pub life: u32,
    /// The life that is listed.
    pub known_life: u32,
    /// Since when it is listed, ns.
    pub since_ns: u64,
    /// Whether it is among the copies of its process: one that steps add is not before, and one that they remove not after.
    pub is_member: bool,
    /// Its share of requests, by that of the others.
    pub weight: u32,
}

impl Listing {
    /// Listed from the start.
    pub const FIRST: Self =
        Self { is_listed: true, life: 0, known_life: 0, since_ns: 0, is_member: true, weight: COPY_WEIGHT };
}

/// What an edge has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeCounts {
    /// Calls.
    pub calls: u64,
    /// Tries that were sent.
    pub tries: u64,
    /// Retries among them, and second tries of hedged calls.
    pub retries: u64,
    /// Tries that were held back.
    pub held_back: u64,
    /// Tries that were sent and did not end with an answer as asked.
    pub failed: u64,
    /// Of them, tries that got no answer in time.
    pub timed_out: u64,
    /// How often its breaker opened.
    pub opened: u64,
}

impl EdgeCounts {
    /// Adds those of another copy.
    pub const fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.tries += other.tries;
        self.retries += other.retries;
        self.held_back += other.held_back;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.opened += other.opened;
    }
}

/// What an admitted try holds.
#[derive(Debug)]
pub struct Pass {
    generation: Option<Generation>,
    permit: Option<BulkheadPermit>,
    concurrency: Option<ConcurrencyPermit>,
}

/// A caller's side of an edge.
#[derive(Debug)]
pub struct Edge {
    /// Its policy.
    pub policy: Arc<EffectivePolicy>,
    /// Copies of the callee.
    pub endpoints: Vec<Endpoint>,
    /// What it has done.
    pub counts: EdgeCounts,
    /// Requests that wait for a connection.
    waiting: WaitingRequests,
    picker: Picker,
    breaker: Option<Box<Breaker>>,
    budget: Option<Box<RetryBudget>>,
    hedge_budget: Option<Box<RetryBudget>>,
    throttle: Option<Box<Throttle>>,
    bulkhead: Option<Arc<Bulkhead>>,
    concurrency: Option<Box<AdaptiveConcurrency>>,
    rng: Rng,
    /// Changes of the registry that are known here.
    changes: u32,
    /// Copies that are listed, where that is not all of them.
    listed: Option<Box<[u16]>>,
    /// Whether listed copies have different weights: one of them is a canary.
    is_weighted: bool,
}

impl Edge {
    /// An edge that has seen nothing, to these instances.
    pub fn new(policy: Arc<EffectivePolicy>, instances: &[u32], rng: Rng) -> Self {
        let endpoint = |instance: &u32| Endpoint::new(*instance, EndpointLoad::first(), 0);
        // A budget that no retry asks is not kept.
        let retried = policy.attempts > 1;
        Self {
            endpoints: instances.iter().map(endpoint).collect(),
            counts: EdgeCounts::default(),
            waiting: WaitingRequests::default(),
            picker: Picker::new(policy.balance),
            breaker: policy.breaker.map(|options| Box::new(Breaker::new(options))),
            budget: policy.budget.filter(|_| retried).map(|options| Box::new(RetryBudget::new(options))),
            hedge_budget: policy.hedge.map(|hedge| Box::new(hedge.budget())),
            throttle: policy.throttle.map(|options| Box::new(Throttle::new(options))),
            bulkhead: policy.bulkhead.map(|limit| Arc::new(Bulkhead::new(limit))),
            concurrency: policy
                .adaptive_concurrency
                .map(|options| Box::new(AdaptiveConcurrency::new(options))),
            policy,
            rng,
            changes: 0,
            listed: None,
            is_weighted: false,
        }
    }

    /// Changes of the registry that are known here.
    pub const fn changes(&self) -> u32 {
        self.changes
    }

    /// Takes over what the registry lists of each instance after so many changes. A copy that has started anew begins as one
    /// that joins, as in a live cluster.
    pub fn update(&mut self, changes: u32, now_ns: u64, listing: impl Fn(u32) -> Listing) {
        self.changes = changes;
        let median = LazyCell::new(|| {
            let members = self.endpoints.iter().filter(|endpoint| endpoint.is_member);
            median_ns(members.map(|endpoint| &endpoint.load), now_ns)
        });
        let joined: Vec<(usize, Endpoint)> = self
            .endpoints
            .iter()
            .enumerate()
            .filter_map(|(at, endpoint)| {
                let Listing { is_listed, known_life, since_ns, .. } = listing(endpoint.instance());
                let is_new = is_listed && known_life != endpoint.life;
                is_new.then(|| {
                    let load = EndpointLoad::new(since_ns.max(1), *median);
                    // Tries of its former life end here as well.
                    (0..endpoint.load.inflight()).for_each(|_| load.begin());
                    (at, Endpoint::new(endpoint.instance(), load, known_life))
                })
            })
            .collect();
        for (at, mut endpoint) in joined {
            // What tries of its former life hold is given back when they end.
            endpoint.connections_in_use = self.endpoints[at].connections_in_use;
            self.endpoints[at] = endpoint;
        }
        for endpoint in &mut self.endpoints {
            let Listing { is_member, weight, .. } = listing(endpoint.instance());
            (endpoint.is_member, endpoint.weight) = (is_member, weight);
        }
        let listed = self.endpoints.iter().zip(0_u16..);
        let listed: Box<[u16]> =
            listed.filter(|(endpoint, _)| listing(endpoint.instance()).is_listed).map(|(_, at)| at).collect();
        let mut weights = listed.iter().map(|at| self.endpoints[usize::from(*at)].weight);
        let first = weights.next();
        self.is_weighted = weights.any(|weight| Some(weight) != first);
        self.listed = (listed.len() < self.endpoints.len()).then_some(listed);
    }

    /// Bytes that it has taken beside its own: its view of each copy, and what its policies keep.
    pub fn held_bytes(&self) -> usize {
        let seen = self.policy.breaker.map_or(0, |options| match options.window {
            policy::breaker::Window::Calls(calls) => calls as usize,
            policy::breaker::Window::Time(_) => 0,
        });
        size_of_val(self.endpoints.as_slice())
            + self.waiting.held_bytes()
            + self.breaker.as_deref().map_or(0, size_of_val)
            + seen
            + self.budget.as_deref().map_or(0, size_of_val)
            + self.hedge_budget.as_deref().map_or(0, size_of_val)
            + self.throttle.as_deref().map_or(0, size_of_val)
            + self.bulkhead.as_deref().map_or(0, size_of_val)
            + self.concurrency.as_deref().map_or(0, |limit| size_of_val(limit) + size_of::<Bulkhead>())
            + self.listed.as_deref().map_or(0, size_of_val)
    }

    /// Where its breaker stands; closed where it has none.
    pub fn breaker(&self) -> BreakerState {
        self.breaker.as_ref().map_or(BreakerState::Closed, |breaker| breaker.state())
    }

    /// A call begins.
    pub fn begin(&mut self, now_ns: u64, is_hedged: bool) {
        self.counts.calls += 1;
        if let Some(budget) = &mut self.budget {
            budget.deposit(now_ns);
        }
        if let Some(budget) = self.hedge_budget.as_mut().filter(|_| is_hedged) {
            budget.deposit(now_ns);
        }
    }

    /// Whether a second try may be sent next to a slow first.
    pub fn may_hedge(&mut self, now_ns: u64) -> bool {
        self.hedge_budget.as_mut().is_none_or(|budget| budget.withdraw(now_ns))
    }

    /// Whether a try may be sent: throttle, breaker, bulkhead, adaptive concurrency, in the order of a live edge.
    pub fn admit(&mut self, now_ns: u64) -> Option<Pass> {
        let pass = self.ask(now_ns);
        if pass.is_none() {
            self.counts.held_back += 1;
        }
        pass
    }

    fn ask(&mut self, now_ns: u64) -> Option<Pass> {
        if let Some(throttle) = &mut self.throttle
            && !throttle.admits(now_ns, self.rng.unit())
        {
            return None;
        }
        let generation = match &mut self.breaker {
            None => None,
            Some(breaker) => match breaker.admit(now_ns) {
                Permission::Granted(generation) => Some(generation),
                Permission::Denied(_) => return None,
            },
        };
        let permit = match &self.bulkhead {
            None => None,
            Some(bulkhead) => {
                let Some(permit) = bulkhead.try_acquire() else {
                    self.release(generation);
                    return None;
                };
                Some(permit)
            }
        };
        let concurrency = match &self.concurrency {
            None => None,
            Some(concurrency) => {
                let Some(permit) = concurrency.try_acquire() else {
                    self.release(generation);
                    return None;
                };
                Some(permit)
            }
        };
        Some(Pass { generation, permit, concurrency })
    }

    fn release(&mut self, generation: Option<Generation>) {
        if let (Some(breaker), Some(generation)) = (&mut self.breaker, generation) {
            breaker.release(generation);
        }
    }

    /// The copy to ask; `avoid` was asked already. `None` where there is none.
    pub fn pick(&mut self, now_ns: u64, avoid: Option<u16>) -> Option<u16> {
        let bits = if self.endpoints.len() > 1 { self.rng.bits() } else { 0 };
        let class = self.is_weighted.then(|| self.weight_class(avoid));
        let picked = match class.as_deref().or(self.listed.as_deref()) {
            None => {
                let avoid = avoid.map(usize::from);
                self.picker.pick(&self.endpoints, |endpoint| &endpoint.load, now_ns, bits, avoid)?
            }
            Some(listed) => {
                let avoid = avoid.and_then(|avoid| listed.iter().position(|at| *at == avoid));
                let load = |at: &u16| &self.endpoints[usize::from(*at)].load;
                usize::from(listed[self.picker.pick(listed, load, now_ns, bits, avoid)?])
            }
        };
        self.endpoints[picked].load.begin();
        self.counts.tries += 1;
        Some(picked as u16)
    }

    /// The listed copies of one weight, drawn by the weights of all of them but that to avoid, as a live caller draws them.
    fn weight_class(&mut self, avoid: Option<u16>) -> Vec<u16> {
        let bits = self.rng.bits();
        let mut others: Vec<u16> = match &self.listed {
            Some(listed) => listed.to_vec(),
            None => (0..self.endpoints.len() as u16).collect(),
        };
        others.retain(|at| Some(*at) != avoid);
        let weight = |at: &u16| self.endpoints[usize::from(*at)].weight;
        let drawn = drawn_weight(others.iter().map(weight), bits);
        others.retain(|at| Some(weight(at)) == drawn);
        others
    }

    /// A try asks for a connection to a copy. `waits` is whether one that was queued has not been given up meanwhile.
    pub(super) fn checkout(
        &mut self,
        copy: u16,
        limits: ConnectionLimits,
        request: Handle,
        waits: impl Fn(Handle) -> bool,
    ) -> Checkout {
        let in_use = &mut self.endpoints[usize::from(copy)].connections_in_use;
        self.waiting.checkout(copy, in_use, limits, request, waits)
    }

    /// A try needs its connection to a copy no longer: the one that gets it, if any waits.
    pub(super) fn give_connection_back(
        &mut self,
        copy: u16,
        waits: impl Fn(Handle) -> bool,
    ) -> Option<Handle> {
        self.waiting.give_back(copy, &mut self.endpoints[usize::from(copy)].connections_in_use, waits)
    }

    /// A try has ended, after `took_ns`.
    pub fn end(&mut self, pass: Pass, endpoint: Option<u16>, outcome: Outcome, now_ns: u64, took_ns: u64) {
        self.counts.failed += u64::from(!matches!(outcome, Outcome::Done | Outcome::HeldBack));
        self.counts.timed_out += u64::from(outcome == Outcome::TimedOut);
        if let Some(at) = endpoint {
            self.observe(usize::from(at), outcome, now_ns, took_ns);
        }
        if let (Some(breaker), Some(generation)) = (&mut self.breaker, pass.generation) {
            let was_open = breaker.state() == BreakerState::Open;
            match outcome {
                Outcome::Done => breaker.on_result(now_ns, generation, true),
                // A callee that says how much it can take is well.
                Outcome::HeldBack | Outcome::NoConnection | Outcome::Shed => breaker.release(generation),
                Outcome::Failed(_) | Outcome::Refused | Outcome::Reset | Outcome::TimedOut => {
                    breaker.on_result(now_ns, generation, false);
                }
            }
            self.counts.opened += u64::from(!was_open && breaker.state() == BreakerState::Open);
        }
        if let Some(throttle) = &mut self.throttle
            && matches!(outcome, Outcome::Done | Outcome::Failed(_))
            && outcome != Outcome::Failed(503)
        {
            throttle.accepted(now_ns);
        }
        // As in a live edge: what answered, or did not while its caller waited, shows how long the callee takes.
        if let (Some(concurrency), Some(permit)) = (&self.concurrency, &pass.concurrency)
            && matches!(outcome, Outcome::Done | Outcome::TimedOut | Outcome::Failed(504))
        {
            concurrency.observe(permit, now_ns, took_ns);
        }
        drop((pass.permit, pass.concurrency));
    }

    fn observe(&mut self, at: usize, outcome: Outcome, now_ns: u64, took_ns: u64) {
        let load = &self.endpoints[at].load;
        load.end();
        match outcome {
            Outcome::Done => load.succeeded(now_ns, took_ns),
            Outcome::Shed => load.shed(now_ns, took_ns, None),
            Outcome::HeldBack | Outcome::NoConnection => {}
            Outcome::Failed(_) | Outcome::Refused | Outcome::Reset | Outcome::TimedOut => {
                load.failed(now_ns, took_ns, None);
                let members = self.endpoints.iter().filter(|peer| peer.is_member);
                let out = members.clone().filter(|peer| peer.load.is_ejected(now_ns)).count();
                let refused = outcome == Outcome::Refused;
                let until_ns = outlier::ejected_until_ns(load, refused, out, members.count(), now_ns);
                if let Some(until_ns) = until_ns {
                    load.eject(now_ns, until_ns);
                }
            }
        }
    }

    /// A try is given up without a result: its caller has gone, or another try was faster.
    pub fn give_up(&mut self, pass: Pass, endpoint: Option<u16>) {
        if let Some(at) = endpoint {
            self.endpoints[usize::from(at)].load.end();
        }
        self.release(pass.generation);
    }

    /// How long to wait before a call of which `tries` have failed is tried again, ns; `None` to leave it. Paid for.
    pub fn retry_after(
        &mut self,
        outcome: Outcome,
        idempotency: Idempotency,
        tries: u32,
        now_ns: u64,
        left_ns: u64,
    ) -> Option<u64> {
        let outcome = outcome.attempt()?;
        if tries >= self.policy.attempts || !retry::may_retry(outcome, idempotency) {
            return None;
        }
        let (base_ns, jitter) = (self.policy.backoff.nanos(), self.policy.jitter);
        let wait_ns = retry::backoff(base_ns, jitter, tries, self.rng.bits(), left_ns)?;
        let is_paid = self.budget.as_mut().is_none_or(|budget| budget.withdraw(now_ns));
        is_paid.then_some(wait_ns)
    }
}
