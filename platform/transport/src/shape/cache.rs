//! A look-aside cache as a scenario declares it, and the store behind it.
//!
//! The component's own database answers in microseconds; what a slow store behind a
//! cache does is shaped: a key is warm or it is not, and a fill takes the store's
//! slots, queue and work. The store never cancels: what was asked of it is done,
//! whoever has left, and a fill whose askers have left is lost unless it is kept late.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::id::mix;
use contract::{ComponentName, Refusal};
use policy::service::{SimulatedCache as Options, SimulatedStore};
use runtime::cost::{self, Part};
use runtime::{Fate, Tasks, clock};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Slots;

/// Which keys are warm, and the store that fills them.
pub(crate) struct Cache {
    component: ComponentName,
    options: Options,
    store: Option<Arc<Filler>>,
    state: Mutex<State>,
}

struct Filler {
    options: SimulatedStore,
    slots: Slots,
}

#[derive(Default)]
struct State {
    /// When each warm key was filled, ns; before the run for those that were warm.
    filled: HashMap<u64, i64>,
    /// Fills under way that may be shared: told once they are done.
    flights: HashMap<u64, watch::Receiver<Flight>>,
    /// Flushes seen so far.
    flushes: u64,
}

/// An entry that was flushed and is kept to be served stale.
const LONG_AGO: i64 = i64::MIN;

fn now_ns() -> i64 {
    clock::now_ns().cast_signed()
}

/// How a fill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    Under,
    Done,
    Refused,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Fresh,
    Stale,
    Nothing,
}

impl Cache {
    pub fn new(component: ComponentName, options: Options, store: Option<SimulatedStore>) -> Self {
        let filler = |options: SimulatedStore| {
            Arc::new(Filler { options, slots: Slots::new(component, options.slots, options.queue) })
        };
        Self { component, options, store: store.map(filler), state: Mutex::default() }
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
        let found = self.look(key, flushes);
        telemetry::cache_read(
            self.component,
            found == Found::Fresh || (found == Found::Stale && self.options.serve_stale),
        );
        let Some(store) = &self.store else {
            self.fill(key);
            return Ok(());
        };
        let flight = match found {
            Found::Fresh => return Ok(()),
            Found::Stale if self.options.serve_stale => {
                // Refreshed behind the caller's back, once at a time.
                let _behind = self.depart(key, store, work_ns(&store.options), true, tasks);
                return Ok(());
            }
            Found::Stale | Found::Nothing => {
                self.depart(key, store, work_ns(&store.options), self.options.single_flight, tasks)
            }
        };
        let patience = store.options.timeout.map_or(Duration::from_secs(30), |span| span.duration());
        let mut flight = flight;
        let waiting =
            async { flight.wait_for(|flight| *flight != Flight::Under).await.map(|flight| *flight) };
        match cost::part(Part::Queueing, timeout(patience, waiting)).await {
            Ok(Ok(Flight::Done)) => Ok(()),
            Ok(Ok(Flight::Refused | Flight::Under) | Err(_)) => {
                telemetry::shed(self.component, "store_full");
                Err(Refusal::unavailable("store_full", "as many reads wait for the store as may"))
            }
            Err(_) => Err(Refusal::unavailable("store_timeout", "the store did not answer in time")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn look(&self, key: u64, flushes: u64) -> Found {
        let now = now_ns();
        let mut state = self.state();
        if state.flushes < flushes {
            state.flushes = flushes;
            // Who serves stale answers keeps what was flushed, as no longer fresh.
            if self.options.serve_stale {
                state.filled.values_mut().for_each(|filled| *filled = LONG_AGO);
            } else {
                state.filled.clear();
            }
        }
        let ttl = self.options.ttl.map_or(i64::MAX, |ttl| ttl.nanos().cast_signed());
        match state.filled.get(&key) {
            Some(filled) if *filled > LONG_AGO && now.saturating_sub(*filled) < ttl => Found::Fresh,
            // Kept for as long again, or serving stale would have nothing to serve.
            Some(_) => Found::Stale,
            // Warm from before the run, each key of another age, until somebody flushes it.
            None if self.options.warm && state.flushes == 0 && state.filled.len() < self.entries() => {
                let age = if ttl == i64::MAX { 0 } else { (mix(key) % ttl.cast_unsigned()).cast_signed() };
                state.filled.insert(key, now.saturating_sub(age));
                Found::Fresh
            }
            None if self.options.warm && self.options.serve_stale => Found::Stale,
            None => Found::Nothing,
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
    fn depart(
        self: &Arc<Self>,
        key: u64,
        store: &Arc<Filler>,
        work_ns: u64,
        shared: bool,
        tasks: &Tasks,
    ) -> watch::Receiver<Flight> {
        let mut state = self.state();
        if shared && let Some(flight) = state.flights.get(&key).filter(|flight| flight.has_changed().is_ok())
        {
            return flight.clone();
        }
        let (tell, flight) = watch::channel(Flight::Under);
        if shared {
            state.flights.insert(key, flight.clone());
        }
        drop(state);
        let (cache, store) = (self.clone(), store.clone());
        tasks.spawn("transport.fill", Fate::ShutDown, async move {
            let result = match store.slots.enter().await {
                Ok(_slot) => {
                    sleep(Duration::from_nanos(work_ns)).await;
                    Flight::Done
                }
                Err(_) => Flight::Refused,
            };
            // A shared flight is kept in the table of flights as well; that copy waits for nobody.
            let waiting = tell.receiver_count() > usize::from(shared);
            if result == Flight::Done && (waiting || cache.options.keep_late || cache.options.serve_stale) {
                cache.fill(key);
            }
            if shared {
                cache.state().flights.remove(&key);
            }
            tell.send_replace(result);
        });
        flight
    }
}
