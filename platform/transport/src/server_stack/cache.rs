//! A look-aside cache as a scenario declares it, and the store behind it.
//!
//! The component's own database answers in microseconds; what a slow store behind a
//! cache does is shaped: a key is warm or it is not, and a fill takes the store's
//! slots, queue and work. The store never cancels: what was asked of it is done,
//! also when its callers have left; such a fill is lost unless it is kept late.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::hash::mix;
use contract::{ComponentName, Refusal};
use policy::service::{SimulatedCache as Options, SimulatedStore};
use runtime::cost::{self, Part};
use runtime::{ShutdownPolicy, Tasks, clock, timer};
use tokio::sync::watch;
use tokio::time::timeout;

use super::slots::Slots;

/// Which keys are warm, and the store that fills them.
pub(crate) struct Cache {
    component: ComponentName,
    options: Options,
    store: Option<Arc<Store>>,
    state: Mutex<State>,
}

struct Store {
    options: SimulatedStore,
    slots: Slots,
}

#[derive(Default)]
struct State {
    /// When each warm key was filled, ns; before the run for those that were warm.
    filled: HashMap<u64, i64>,
    /// Fills under way that may be shared: changed once they are done.
    fills: HashMap<u64, watch::Receiver<FillState>>,
    /// Flushes seen so far.
    flushes: u64,
}

/// An entry that was flushed and is kept to be served stale.
const FLUSHED: i64 = i64::MIN;

fn now_ns() -> i64 {
    clock::now_ns().cast_signed()
}

/// How a fill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FillState {
    Under,
    Done,
    Refused,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Fresh,
    Stale,
    Nothing,
}

impl Cache {
    pub fn new(component: ComponentName, options: Options, store: Option<SimulatedStore>) -> Self {
        let with_slots = |options: SimulatedStore| {
            Arc::new(Store { options, slots: Slots::new(component, options.slots, options.queue) })
        };
        Self { component, options, store: store.map(with_slots), state: Mutex::default() }
    }

    /// Reads through the cache: at once where the key is warm, else from the store.
    /// `work_ns` is what the fill takes, `flushes` how often a fault has emptied the cache.
    ///
    /// # Errors
    /// The store refuses, or takes longer than the component waits.
    pub async fn read(
        self: &Arc<Self>,
        key: u64,
        work_ns: impl Fn(&SimulatedStore) -> u64,
        flushes: u64,
        tasks: &Tasks,
    ) -> Result<(), Refusal> {
        let found = self.lookup(key, flushes);
        telemetry::cache_read(
            self.component,
            found == Lookup::Fresh || (found == Lookup::Stale && self.options.serve_stale),
        );
        let Some(store) = &self.store else {
            self.fill(key);
            return Ok(());
        };
        let fill_state = match found {
            Lookup::Fresh => return Ok(()),
            Lookup::Stale if self.options.serve_stale => {
                // Refreshed behind the caller's back, once at a time.
                let _behind = self.start_fill(key, store, work_ns(&store.options), true, tasks);
                return Ok(());
            }
            Lookup::Stale | Lookup::Nothing => {
                self.start_fill(key, store, work_ns(&store.options), self.options.single_flight, tasks)
            }
        };
        let patience = store.options.timeout.map_or(Duration::from_secs(30), |span| span.duration());
        let mut fill_state = fill_state;
        let waiting = async {
            fill_state
                .wait_for(|fill_state| *fill_state != FillState::Under)
                .await
                .map(|fill_state| *fill_state)
        };
        match cost::part(Part::Queueing, timeout(patience, waiting)).await {
            Ok(Ok(FillState::Done)) => Ok(()),
            Ok(Ok(FillState::Refused | FillState::Under) | Err(_)) => {
                telemetry::shed(self.component, "store_full");
                Err(Refusal::unavailable("store_full", "as many reads wait for the store as may"))
            }
            Err(_) => Err(Refusal::unavailable("store_timeout", "the store did not answer in time")),
        }
    }

    /// Puts it as declared: warm or cold, whatever was read before.
    pub fn reset(&self) {
        self.state().filled.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn lookup(&self, key: u64, flushes: u64) -> Lookup {
        let now = now_ns();
        let mut state = self.state();
        if state.flushes < flushes {
            state.flushes = flushes;
            // A cache that serves stale answers keeps what was flushed, as no longer fresh.
            if self.options.serve_stale {
                state.filled.values_mut().for_each(|filled| *filled = FLUSHED);
            } else {
                state.filled.clear();
            }
        }
        let ttl = self.options.ttl.map_or(i64::MAX, |ttl| ttl.nanos().cast_signed());
        match state.filled.get(&key) {
            Some(filled) if *filled > FLUSHED && now.saturating_sub(*filled) < ttl => Lookup::Fresh,
            // Kept for as long again, or serving stale would have nothing to serve.
            Some(_) => Lookup::Stale,
            // Warm from before the run, each key of another age, until a fault flushes it.
            None if self.options.warm && state.flushes == 0 && state.filled.len() < self.entries() => {
                let age = if ttl == i64::MAX { 0 } else { (mix(key) % ttl.cast_unsigned()).cast_signed() };
                state.filled.insert(key, now.saturating_sub(age));
                Lookup::Fresh
            }
            None if self.options.warm && self.options.serve_stale => Lookup::Stale,
            None => Lookup::Nothing,
        }
    }

    fn entries(&self) -> usize {
        self.options.entries.unwrap_or(Options::ENTRIES) as usize
    }

    fn fill(&self, key: u64) {
        let mut state = self.state();
        if state.filled.len() >= self.entries() && !state.filled.contains_key(&key) {
            // Any one goes: which, a hash map decides, not recency.
            if let Some(other) = state.filled.keys().next().copied() {
                state.filled.remove(&other);
            }
        }
        state.filled.insert(key, now_ns());
    }

    /// Asks the store, as a task of its own: nothing cancels it. `shared` joins a fill
    /// of the same key that is under way.
    fn start_fill(
        self: &Arc<Self>,
        key: u64,
        store: &Arc<Store>,
        work_ns: u64,
        shared: bool,
        tasks: &Tasks,
    ) -> watch::Receiver<FillState> {
        let mut state = self.state();
        if shared
            && let Some(fill_state) =
                state.fills.get(&key).filter(|fill_state| fill_state.has_changed().is_ok())
        {
            return fill_state.clone();
        }
        let (sender, fill_state) = watch::channel(FillState::Under);
        if shared {
            state.fills.insert(key, fill_state.clone());
        }
        drop(state);
        let (cache, store) = (self.clone(), store.clone());
        tasks.spawn("transport.fill", ShutdownPolicy::Cancel, async move {
            let result = match store.slots.enter().await {
                Ok(_slot) => {
                    timer::sleep(Duration::from_nanos(work_ns)).await;
                    FillState::Done
                }
                Err(_) => FillState::Refused,
            };
            // A shared fill is kept in the table of fills as well; that receiver does not wait.
            let waiting = sender.receiver_count() > usize::from(shared);
            if result == FillState::Done && (waiting || cache.options.keep_late || cache.options.serve_stale)
            {
                cache.fill(key);
            }
            if shared {
                cache.state().fills.remove(&key);
            }
            sender.send_replace(result);
        });
        fill_state
    }
}
