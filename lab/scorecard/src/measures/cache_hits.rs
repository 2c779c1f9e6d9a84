//! `cache_hits(component)`: the share of reads that a declared cache answered.

use record::Better;

use crate::expect::Parameter;
use crate::measure::{Measure, Property, Unit};

/// Hits over reads.
pub const CACHE_HITS: Measure = Measure {
    name: "cache_hits",
    parameter: Parameter::Component,
    meaning: "share of reads a declared cache answered",
    unit: Unit::Share,
    better: Better::Higher,
    properties: &[Property::NotSimulated],
    statistic: |of| {
        of.share_of_growth(false, |proc| {
            proc.cache.get(of.argument.name()).map(|[hits, reads]| (*hits, *reads))
        })
    },
    ..Measure::DEFAULT
};
