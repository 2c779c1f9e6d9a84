//! What every call to a component meets before its work: a place, the component's faults, declared work.
//!
//! In this order: the bounded queue, a slot, the deadline again, the faults of the
//! component, its cache and the store behind it, the work a scenario declares.
//! Faults act while the slot is held, as real slowness of the component does.

mod cache;
mod slots;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::hash::{fnv1a64_with, mix};
use contract::{CallContext, ComponentName, Refusal};
use fault::{LeaseTable, Side};
use policy::ServiceOptions;
use policy::service::{SimulatedStore, SimulatedWork};
use runtime::cost::{self, Part};
use runtime::{Tasks, clock, random, timer};

use crate::deadline::check_deadline;
use crate::fault_injection::{self, InjectionPoint};
use crate::server_stack::cache::Cache;
use crate::server_stack::slots::{Slot, Slots};

/// The shapes of the components of a process.
pub(crate) type SimulatedServers = BTreeMap<ComponentName, Arc<SimulatedServer>>;

/// A component as a scenario shapes it. Shared by its calls and its public routes.
pub(crate) struct SimulatedServer {
    component: ComponentName,
    seed: u64,
    work: Option<SimulatedWork>,
    slots: Option<Slots>,
    cache: Option<Arc<Cache>>,
    /// Owner of fills: they outlive the calls that started them.
    tasks: Tasks,
}

impl SimulatedServer {
    pub fn new(component: ComponentName, options: &ServiceOptions, seed: u64, tasks: Tasks) -> Self {
        let slots = options.slots.map(|slots| Slots::new(component, slots, options.queue));
        let cache = options.cache.map(|cache| Arc::new(Cache::new(component, cache, options.store)));
        Self { component, seed, work: options.work, slots, cache, tasks }
    }

    /// Puts its cache as declared.
    pub fn reset_cache(&self) {
        if let Some(cache) = &self.cache {
            cache.reset();
        }
    }

    /// Reads through the cache, where there is one; `slow` stretches the store's work.
    async fn read(&self, key: u64, cx: &CallContext, slow: f64, flushes: u64) -> Result<(), Refusal> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let work_ns =
            |store: &SimulatedStore| (store.work.sample_ns(self.draw(b"fill", cx)) as f64 * slow) as u64;
        cache.read(key, work_ns, flushes, &self.tasks).await
    }

    /// A number in [0, 1) for one purpose, drawn by request and try: every arm has the
    /// same demands, and a try that was too long is not too long again for ever.
    fn draw(&self, purpose: &[u8], cx: &CallContext) -> f64 {
        // Background work has no request; its dice need not be reproducible.
        let request = if cx.request == 0 { random::bits() } else { cx.request };
        let key = request ^ mix(u64::from(cx.attempt));
        let bits = mix(fnv1a64_with(
            purpose,
            mix(self.seed ^ fnv1a64_with(self.component.as_str().as_bytes(), key)),
        ));
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Does the declared work, `slow` times as long; false where none is declared.
    async fn work(&self, cx: &CallContext, slow: f64) -> bool {
        let Some(work) = self.work else { return false };
        if work.share.is_some_and(|share| self.draw(b"work.share", cx) >= share.get()) {
            return true;
        }
        let length = Duration::from_nanos((work.sample_ns(self.draw(b"work", cx)) as f64 * slow) as u64);
        match (work.cpu, work.offload) {
            (false, _) => timer::sleep(length).await,
            (true, false) => burn(length),
            (true, true) => runtime::blocking(move || burn(length)).await,
        }
        true
    }
}

/// Uses so much CPU of this thread.
fn burn(length: Duration) {
    let until = clock::thread_cpu_ns() + u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    let mut sum = 0_u64;
    while clock::thread_cpu_ns() < until {
        for _ in 0..2_000 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
    }
}

/// What calls to a component meet on its side.
#[derive(Clone)]
pub(crate) struct ServerStack {
    component: ComponentName,
    faults: Arc<LeaseTable>,
    simulated: Option<Arc<SimulatedServer>>,
    /// This copy of its process: `photo#0`.
    copy: Arc<str>,
}

/// A call that is inside, until [`AdmittedCall::finish`].
pub(crate) struct AdmittedCall {
    slow: f64,
    started: std::time::Instant,
    _slot: Option<Slot>,
}

impl ServerStack {
    pub fn new(
        component: ComponentName,
        faults: Arc<LeaseTable>,
        simulated: Option<Arc<SimulatedServer>>,
        copy: Arc<str>,
    ) -> Self {
        Self { component, faults, simulated, copy }
    }

    /// Whether nothing stands between a call and its work.
    pub fn is_clear(&self) -> bool {
        self.simulated.is_none() && self.faults.is_empty()
    }

    /// Lets a call in. `route` is its name, or method and template; `key` is what it
    /// asks for, as a cache would know it.
    ///
    /// # Errors
    /// The queue is full, the deadline passed in it, or a fault ends the call.
    pub async fn admit(
        &self,
        route: &str,
        cx: &CallContext,
        key: impl FnOnce() -> u64,
    ) -> Result<AdmittedCall, Refusal> {
        // A component that asks itself is inside already; a second slot could wait for the first.
        let simulated = self.simulated.as_ref().filter(|_| cx.from != self.component);
        let slot = match simulated.and_then(|simulated| simulated.slots.as_ref()) {
            Some(slots) => {
                let slot = slots.enter().await?;
                self.on_time(cx)?;
                Some(slot)
            }
            None => None,
        };
        let mut slow = 1.0;
        if !self.faults.is_empty() {
            let point =
                InjectionPoint { side: Side::Callee, callee: self.component, route, copy: Some(&self.copy) };
            slow = fault_injection::apply_faults(&self.faults, point, cx).await?.slow;
            self.on_time(cx)?;
        }
        if let Some(simulated) = simulated.filter(|simulated| simulated.cache.is_some()) {
            let flushes = self.faults.one_shot_count("cache-flush", self.component);
            simulated.read(key(), cx, slow, flushes).await?;
        }
        if let Some(simulated) = simulated
            && simulated.work(cx, slow).await
        {
            // What was declared has been stretched; the real work is left as it is.
            slow = 1.0;
        }
        Ok(AdmittedCall { slow, started: clock::now(), _slot: slot })
    }

    /// Work for a caller that has stopped waiting is refused.
    pub fn on_time(&self, cx: &CallContext) -> Result<(), Refusal> {
        check_deadline(cx, clock::now()).inspect_err(|_| telemetry::deadline_refused(self.component))
    }
}

impl AdmittedCall {
    /// The work is done. A component that is slow without declared work takes
    /// as many times longer than it took.
    pub async fn finish(self) {
        if self.slow > 1.0 {
            let took = clock::now().saturating_duration_since(self.started);
            cost::part(Part::Injected, timer::sleep(took.mul_f64(self.slow - 1.0))).await;
        }
    }
}
