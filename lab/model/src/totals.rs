//! Sums since the run's start, by arm and journey: what counters and histograms of a metrics export are made of.

use std::collections::{BTreeMap, BTreeSet};

use record::{Errors, Latencies, Window};

use crate::run::{Run, Turn};

/// Sums of one journey of an arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Arrivals due.
    pub offered: u64,
    /// Arrivals sent.
    pub sent: u64,
    /// Answered as asked.
    pub ok: u64,
    /// Ok, and in time.
    pub good: u64,
    /// Arrivals that found no free slot.
    pub dropped: u64,
    /// Reads that should have seen an acknowledged write.
    pub probes: u64,
    /// How many of them did not.
    pub stale: u64,
    /// Failed, by cause.
    pub errors: Errors,
    /// Ok answers, from the intended start.
    pub intended: Latencies,
    /// Failed ones, from the intended start.
    pub failed: Latencies,
    /// Due until handed over.
    pub pace_lag: Latencies,
    /// Handed over until sent, all slots busy.
    pub slot_wait: Latencies,
    /// A write acknowledged until seen elsewhere.
    pub staleness: Latencies,
}

impl Totals {
    fn add(&mut self, window: &Window) {
        self.offered += window.offered;
        self.sent += window.sent;
        self.ok += window.ok;
        self.good += window.good;
        self.dropped += window.dropped;
        self.probes += window.probes;
        self.stale += window.stale;
        for (cause, count) in &window.errors {
            *self.errors.entry(cause.clone()).or_default() += count;
        }
        self.intended.merge(&window.intended);
        self.failed.merge(&window.failed);
        self.pace_lag.merge(&window.pace_lag);
        self.slot_wait.merge(&window.slot_wait);
        self.staleness.merge(&window.staleness);
    }
}

/// Totals of windows that cannot change any more, and where those are that still can.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    closed: BTreeMap<(char, String), Totals>,
    open: BTreeSet<(Turn, u32, String)>,
}

impl Counted {
    /// Counts a window that comes, again or for the first time.
    pub fn window(&mut self, window: &Window, was_closed: bool) {
        let place = ((window.arm, window.round), window.second, window.journey.clone());
        if !window.closed {
            self.open.insert(place);
        } else if !was_closed {
            self.open.remove(&place);
            self.closed.entry((window.arm, window.journey.clone())).or_default().add(window);
        }
    }
}

impl Run {
    /// Sums of each journey of each arm, as far as the record has come.
    pub fn totals(&self) -> BTreeMap<(char, String), Totals> {
        let mut totals = self.counted.closed.clone();
        for (turn, second, journey) in &self.counted.open {
            let known = self.second(turn.0, turn.1, *second);
            if let Some(window) = known.and_then(|second| second.window(journey)) {
                totals.entry((window.arm, window.journey.clone())).or_default().add(window);
            }
        }
        totals
    }
}
