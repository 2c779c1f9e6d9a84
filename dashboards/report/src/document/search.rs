//! A search for capacity in the document of a run.

use std::collections::BTreeMap;

use record::Measured;
use schemars::JsonSchema;
use scorecard::ladder::{Ladder, LadderFigures, LadderRung};
use serde::Serialize;

/// A search for capacity: what each arm did at every rate.
#[derive(Serialize, JsonSchema)]
pub struct CapacitySearch {
    /// `capacity at p99 < 50 ms`.
    pub title: String,
    /// What 99 % of arrivals must be within, seconds.
    pub limit_s: f64,
    /// Its rates, rising.
    pub rates: Vec<RateEntry>,
}

/// One rate of a search.
#[derive(Serialize, JsonSchema)]
pub struct RateEntry {
    /// The phase that offered it.
    pub phase: String,
    /// Arrivals a second, as offered.
    pub rate: f64,
    /// What each arm did, by its letter.
    pub arms: BTreeMap<char, RateFigures>,
}

/// What an arm did at one rate.
#[derive(Serialize, JsonSchema)]
pub struct RateFigures {
    /// Share of arrivals that were late, failed or dropped.
    pub late: Measured,
    /// The 99th percentile, seconds.
    pub p99: Measured,
    /// Arrivals a second that were neither late nor failed nor dropped.
    pub goodput: Measured,
    /// `held`, `failed` or `undecided`.
    pub standing: &'static str,
}

impl From<Ladder> for CapacitySearch {
    fn from(Ladder { title, limit_s, rungs }: Ladder) -> Self {
        Self { title, limit_s, rates: rungs.into_iter().map(RateEntry::from).collect() }
    }
}

impl From<LadderRung> for RateEntry {
    fn from(LadderRung { phase, rate, arms }: LadderRung) -> Self {
        let figures = |LadderFigures { late, p99, goodput, standing }: LadderFigures| RateFigures {
            late,
            p99,
            goodput,
            standing: standing.word(),
        };
        Self { phase, rate, arms: arms.into_iter().map(|(arm, of)| (arm, figures(of))).collect() }
    }
}
