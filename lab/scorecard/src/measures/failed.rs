//! `failed_p99(journey)`: how long users waited for nothing. A refusal that comes at once costs a user little, and the arm less;
//! one that comes with the timeout costs both as much as an answer.

use crate::expect::Parameter;
use crate::inference::{Arrivals, Statistic};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

/// The 99th percentile.
pub const FAILED_P99: Measure = Measure {
    name: "failed_p99",
    parameter: Parameter::Journey,
    meaning: "from when a journey was due until its user knew that it had failed, p99 of those that failed",
    unit: Unit::Time,
    properties: &[Property::Cumulative],
    statistic: |of| Statistic::quantile(0.99, of.by_unit(|unit| Some(failures(unit))), of.longest_wait_us()),
    ..Measure::DEFAULT
};

fn failures(unit: &Selection<'_>) -> Arrivals {
    Arrivals { waits: unit.latencies(|window| &window.failed), censored: 0 }
}
