//! What users wanted and got: counts and merged histograms over a window, and which journeys a selector means.

use std::collections::{BTreeMap, BTreeSet};

use record::{Latencies, Window};

use crate::latency::{self, ArrivalQuantile, Quantile};
use crate::run::Run;
use crate::window::TimeRange;

pub use crate::failures::{error_ratio, failed, timeouts};

/// A journey over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct JourneyRow {
    /// Its name.
    pub journey: String,
    /// Arrivals due.
    pub offered: u64,
    /// Of them good.
    pub good: u64,
    /// Of them failed.
    pub failed: u64,
    /// Not answered before the user gave up.
    pub timeouts: u64,
    /// Ok answers, counted from when each was due.
    pub latencies: Latencies,
}

impl JourneyRow {
    /// Good over offered.
    pub fn goodput(&self) -> Option<f64> {
        error_ratio(self.good, self.offered)
    }

    /// Failed over offered.
    pub fn error_ratio(&self) -> Option<f64> {
        error_ratio(self.failed, self.offered)
    }

    /// A percentile of its latencies.
    pub fn quantile(&self, q: f64) -> Quantile {
        latency::Quantile::of(&self.latencies, q)
    }

    /// A percentile of all its arrivals, of which the failed ones lie above every latency; `bound_us` is as far as was waited,
    /// microseconds. `None` where none ended.
    pub fn arrival_quantile(&self, q: f64, bound_us: u64) -> Option<ArrivalQuantile> {
        ArrivalQuantile::of(&self.latencies, self.failed, q, bound_us)
    }
}

/// Failed journeys by cause and arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failures {
    /// Arrivals due, by arm.
    pub offered: BTreeMap<char, u64>,
    /// By cause, then by arm.
    pub causes: BTreeMap<String, BTreeMap<char, u64>>,
}

impl Run {
    /// Whether a journey is meant: by its name, by a group it belongs to, or by `all`.
    pub fn selects(&self, selector: &str, journey: &str) -> bool {
        let is_of_group = || {
            let mut plans = self.header.journeys.iter();
            plans.any(|plan| plan.name == journey && plan.groups.iter().any(|group| group == selector))
        };
        selector == "all" || selector == journey || is_of_group()
    }

    /// The windows of an arm in a range whose journeys are selected, by round: sums and merged histograms of them are
    /// exact over phases, blocks and steps. Of what has left full detail a window may be that of a whole segment.
    pub fn windows<'a>(
        &'a self,
        arm: char,
        range: &'a TimeRange,
        selected: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Window> + 'a {
        let rounds = if range.round == 0 { 0..=u32::MAX } else { range.round..=range.round };
        let (from, to) = (range.seconds.start, range.seconds.end.max(range.seconds.start));
        self.seconds
            .range((arm, *rounds.start())..=(arm, *rounds.end()))
            .flat_map(move |(turn, known)| {
                let seconds = known.range(from..to).flat_map(|(_, second)| second.windows());
                self.segments.windows(*turn, from, to).chain(seconds)
            })
            .filter(move |window| selected(&window.journey))
    }

    /// One of a window's histograms, merged over a range.
    pub fn merged(
        &self,
        arm: char,
        range: &TimeRange,
        selector: &str,
        which: impl Fn(&Window) -> &Latencies,
    ) -> Latencies {
        Latencies::merged(self.windows(arm, range, |journey| self.selects(selector, journey)).map(which))
    }

    /// One of a window's counts, summed over a range.
    pub fn sum(&self, arm: char, range: &TimeRange, selector: &str, which: impl Fn(&Window) -> u64) -> u64 {
        self.windows(arm, range, |journey| self.selects(selector, journey)).map(which).sum()
    }

    /// Latencies of ok journeys over a window.
    pub fn latencies(&self, arm: char, window: &crate::Window) -> Latencies {
        self.merged(arm, &self.whole(window), "all", |window| &window.intended)
    }

    /// Each journey over a window, in the order of the plan, then those no plan names.
    pub fn journey_rows(&self, arm: char, window: &crate::Window) -> Vec<JourneyRow> {
        let range = self.whole(window);
        let seen: BTreeSet<&str> =
            self.windows(arm, &range, |_| true).map(|window| window.journey.as_str()).collect();
        let planned: Vec<&str> = self.header.journeys.iter().map(|plan| plan.name.as_str()).collect();
        let unplanned = seen.iter().copied().filter(|journey| !planned.contains(journey));
        let named = planned.iter().copied().filter(|journey| seen.contains(journey)).chain(unplanned);
        let row = |journey: &str| {
            let windows = || self.windows(arm, &range, |name| name == journey);
            JourneyRow {
                journey: journey.to_owned(),
                offered: windows().map(|window| window.offered).sum(),
                good: windows().map(|window| window.good).sum(),
                failed: windows().map(failed).sum(),
                timeouts: windows().map(timeouts).sum(),
                latencies: Latencies::merged(windows().map(|window| &window.intended)),
            }
        };
        named.map(row).collect()
    }

    /// Sums of each journey of each arm, as far as the record has come: windows of no second.
    pub fn totals(&self) -> BTreeMap<(char, String), Window> {
        self.counted.sums(|(arm, round), second, journey| self.second(arm, round, second)?.window(journey))
    }

    /// Failed journeys by cause and arm over the whole record.
    pub fn failures_by_cause(&self) -> Failures {
        let mut failures = Failures::default();
        for ((arm, round), known) in &self.seconds {
            let old = self.segments.windows((*arm, *round), 0, u32::MAX);
            for window in old.chain(known.values().flat_map(|second| second.windows())) {
                *failures.offered.entry(*arm).or_default() += window.offered;
                let errors = window.errors.iter().map(|(cause, n)| (cause.as_str(), *n));
                for (cause, n) in errors.chain([("dropped", window.dropped), ("abandoned", window.abandoned)])
                {
                    if n > 0 {
                        *failures.causes.entry(cause.to_owned()).or_default().entry(*arm).or_default() += n;
                    }
                }
            }
        }
        failures
    }
}
