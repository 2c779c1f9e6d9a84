//! `cache_hits(component)`: the share of reads that a declared cache answered.

use record::Better;

use crate::expect::Parameter;
use crate::measure::{MIN_SHARE, Measure, Unit};
use crate::value::proportion;

/// Hits over reads.
pub const CACHE_HITS: Measure = Measure {
    name: "cache_hits",
    parameter: Parameter::Component,
    meaning: "share of reads a declared cache answered",
    unit: Unit::Share,
    better: Better::Higher,
    min_samples: MIN_SHARE,
    value: |of| {
        let name = of.argument.name();
        let [hits, reads] = [0, 1].map(|which: usize| {
            of.grown(|proc| proc.cache.get(name).map_or(0, |cache| cache[which])).unwrap_or(0)
        });
        proportion(hits.min(reads), reads)
    },
    ..Measure::DEFAULT
};
