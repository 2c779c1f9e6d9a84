//! `cache_hits(component)`: the share of reads that a declared cache answered.

use record::Better;

use crate::expect::Parameter;
use crate::inference::{Statistic, Trials};
use crate::measure::{Measure, Unit};
use crate::selection::Selection;

/// Hits over reads.
pub const CACHE_HITS: Measure = Measure {
    name: "cache_hits",
    parameter: Parameter::Component,
    meaning: "share of reads a declared cache answered",
    unit: Unit::Share,
    better: Better::Higher,
    statistic: cache_hits,
    ..Measure::DEFAULT
};

fn cache_hits(of: &Selection<'_>) -> Statistic {
    let name = of.argument.name();
    let trials = of.by_unit(|unit| {
        let grown = |which: usize| unit.reported(|proc| proc.cache.get(name).map_or(0, |cache| cache[which]));
        let (hits, reads) = (grown(0)?, grown(1)?);
        Some(Trials { events: hits.min(reads), trials: reads })
    });
    Statistic::share(trials, Vec::new(), false)
}
