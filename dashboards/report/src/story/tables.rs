//! Edges, journeys and traces of an arm over a stretch: what tables list.

use std::collections::{BTreeMap, BTreeSet};

use model::Window;
use record::{Class, Edge, Latencies, Split};

use super::Story;

/// Places named beside the parts of a journey's time.
const PLACES: usize = 4;

/// An edge over a stretch.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeRow {
    /// Who asks.
    pub caller: String,
    /// Who answers.
    pub callee: String,
    /// Seconds with figures.
    pub seconds: u32,
    /// Logical calls.
    pub calls: f64,
    /// Tries.
    pub tries: f64,
    /// Failed tries.
    pub failed: f64,
    /// Tries beyond the first.
    pub retries: f64,
    /// The worst 99th percentile of a second, ms.
    pub worst_p99_ms: Option<f64>,
    /// Seconds its breaker was open.
    pub open_s: u64,
    /// Most calls that waited.
    pub queue: u64,
}

impl EdgeRow {
    fn new(edge: &Edge) -> Self {
        Self {
            caller: edge.caller.clone(),
            callee: edge.callee.clone(),
            seconds: 0,
            calls: 0.0,
            tries: 0.0,
            failed: 0.0,
            retries: 0.0,
            worst_p99_ms: None,
            open_s: 0,
            queue: 0,
        }
    }

    /// A second of it.
    fn add(&mut self, edge: &Edge) {
        self.seconds += 1;
        self.calls += edge.effective_rps;
        self.tries += edge.actual_rps;
        self.failed += edge.errors_rps;
        self.retries += edge.retries_rps;
        self.worst_p99_ms = self.worst_p99_ms.into_iter().chain(edge.p99_ms).reduce(f64::max);
        self.open_s += u64::from(edge.breaker == 2);
        self.queue = self.queue.max(edge.queue);
    }

    /// Tries per call; `None` without calls.
    pub fn tries_per_call(&self) -> Option<f64> {
        (self.calls > 0.0).then(|| self.tries / self.calls)
    }

    /// Failed tries over tries; `None` without tries.
    pub fn failed_share(&self) -> Option<f64> {
        (self.tries > 0.0).then(|| self.failed / self.tries)
    }

    /// Calls per second.
    pub fn rate(&self) -> Option<f64> {
        (self.seconds > 0).then(|| self.calls / f64::from(self.seconds))
    }
}

/// A journey over a stretch.
pub struct RouteRow {
    /// Its name.
    pub journey: String,
    /// Arrivals due.
    pub offered: u64,
    /// Of them good.
    pub good: u64,
    /// Of them not ok.
    pub failed: u64,
    /// Left unanswered until the user gave up.
    pub timeouts: u64,
    /// Ok answers, from the intended start.
    pub latencies: Latencies,
}

/// Where the time of a journey's traces went in an arm and phase, rounds put together.
pub struct Parts {
    /// Index of the phase.
    pub phase: u32,
    /// Its name.
    pub journey: String,
    /// Traces.
    pub n: u64,
    /// Mean length, ns.
    pub mean: f64,
    /// Mean length of the slowest hundredth, ns.
    pub slowest: f64,
    /// By class, mean, ns.
    pub classes: BTreeMap<Class, f64>,
    /// The places with most of it, mean, ns.
    pub places: Vec<(String, f64)>,
}

impl Story {
    /// Calls of each edge that crosses processes over a window.
    pub fn edges(&self, arm: char, window: &Window) -> Vec<EdgeRow> {
        let mut rows: BTreeMap<(&str, &str), EdgeRow> = BTreeMap::new();
        let stretch = self.run.whole(window);
        for edge in self.run.edges(arm, &stretch).filter(|edge| !edge.caller.is_empty()) {
            rows.entry((&edge.caller, &edge.callee)).or_insert_with(|| EdgeRow::new(edge)).add(edge);
        }
        rows.into_values().filter(|row| row.tries > 0.0 || row.queue > 0).collect()
    }

    /// Each journey over a window, in the order of the plan, then those no plan names.
    pub fn routes(&self, arm: char, window: &Window) -> Vec<RouteRow> {
        let stretch = self.run.whole(window);
        let seen: BTreeSet<&str> =
            self.run.windows(arm, &stretch, |_| true).map(|window| window.journey.as_str()).collect();
        let planned: Vec<&str> = self.header().journeys.iter().map(|plan| plan.name.as_str()).collect();
        let unplanned = seen.iter().copied().filter(|journey| !planned.contains(journey));
        let named = planned.iter().copied().filter(|journey| seen.contains(journey)).chain(unplanned);
        let row = |journey: &str| {
            let sum = |which: fn(&record::Window) -> u64| -> u64 {
                self.run.windows(arm, &stretch, |name| name == journey).map(which).sum()
            };
            RouteRow {
                journey: journey.to_owned(),
                offered: sum(|window| window.offered),
                good: sum(|window| window.good),
                failed: sum(|window| window.offered.saturating_sub(window.ok)),
                timeouts: sum(|window| window.errors.get("timeout").copied().unwrap_or(0)),
                latencies: Latencies::merged(
                    self.run.windows(arm, &stretch, |name| name == journey).map(|window| &window.intended),
                ),
            }
        };
        named.map(row).collect()
    }

    /// Where the time of an arm's traces went, by phase and journey.
    pub fn parts(&self, arm: char) -> Vec<Parts> {
        let mut sums: BTreeMap<(u32, &str), Vec<&Split>> = BTreeMap::new();
        for split in self.splits.iter().filter(|split| split.arm == arm && split.n > 0) {
            sums.entry((split.phase, &split.journey)).or_default().push(split);
        }
        sums.into_iter().map(|((phase, journey), rounds)| Parts::of(phase, journey, &rounds)).collect()
    }
}

impl Parts {
    /// Rounds put together, each by its traces.
    fn of(phase: u32, journey: &str, rounds: &[&Split]) -> Self {
        let n: u64 = rounds.iter().map(|split| split.n).sum();
        let weigh = |split: &Split, ns: f64| ns * split.n as f64 / n as f64;
        let mut classes = BTreeMap::<Class, f64>::new();
        let mut places = BTreeMap::<&str, f64>::new();
        for split in rounds {
            for part in &split.parts {
                *classes.entry(part.class).or_default() += weigh(split, part.mean);
                *places.entry(&part.place).or_default() += weigh(split, part.mean);
            }
        }
        let mut places: Vec<(String, f64)> =
            places.into_iter().map(|(place, ns)| (place.to_owned(), ns)).collect();
        places.sort_by(|a, b| b.1.total_cmp(&a.1));
        places.truncate(PLACES);
        Self {
            phase,
            journey: journey.to_owned(),
            n,
            mean: rounds.iter().map(|split| weigh(split, split.mean)).sum(),
            slowest: rounds.iter().map(|split| weigh(split, split.slowest)).sum(),
            classes,
            places,
        }
    }
}
