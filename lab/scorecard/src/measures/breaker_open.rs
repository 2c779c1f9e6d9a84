//! `breaker_open(a->b)`: seconds in which the circuit breaker of an edge was open. By itself it is a condition.

use crate::expect::Parameter;
use crate::measure::{Measure, Property, Unit};
use crate::value::exact;

/// State of a breaker that refuses calls, as the record writes it.
const OPEN: u8 = 2;

/// Seconds a breaker was open.
pub const BREAKER_OPEN: Measure = Measure {
    name: "breaker_open",
    parameter: Parameter::Edge,
    meaning: "time a breaker was open",
    unit: Unit::Time,
    properties: &[Property::Condition],
    value: |of| {
        let (mut open, mut seconds) = (0, 0);
        for edge in of.edge() {
            open += u64::from(edge.breaker == OPEN);
            seconds += 1;
        }
        exact(open, seconds)
    },
    ..Measure::DEFAULT
};
