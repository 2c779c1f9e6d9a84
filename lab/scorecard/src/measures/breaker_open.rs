//! `breaker_open(a->b)`: seconds in which the circuit breaker of an edge was open. By itself it is a condition.

use crate::expect::Parameter;
use crate::inference::{Once, Statistic};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

/// State of a breaker that refuses calls, as the record writes it.
const OPEN: u8 = 2;

/// Seconds a breaker was open.
pub const BREAKER_OPEN: Measure = Measure {
    name: "breaker_open",
    parameter: Parameter::Edge,
    meaning: "time a breaker was open",
    unit: Unit::Time,
    properties: &[Property::Condition],
    statistic: breaker_open,
    ..Measure::DEFAULT
};

fn breaker_open(of: &Selection<'_>) -> Statistic {
    let open = |round: &Selection<'_>| {
        let states: Vec<u8> = round.edge().map(|edge| edge.breaker).collect();
        let open = states.iter().filter(|state| **state == OPEN).count();
        (!states.is_empty()).then(|| Once::of(open as f64))
    };
    Statistic::event(of.by_round(open)).of_samples(of.edge().count() as u64)
}
