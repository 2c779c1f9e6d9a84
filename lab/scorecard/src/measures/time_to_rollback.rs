//! `time_to_rollback(step id)`: from a step's start until it was taken back. Of a step that did not get there
//! while the load went on, the value lies beyond that.

use crate::expect::Parameter;
use crate::measure::{Measure, Property, Unit};

/// From a step's start until it was taken back, seconds.
pub const TIME_TO_ROLLBACK: Measure = Measure {
    name: "time_to_rollback",
    parameter: Parameter::Step,
    meaning: "from a step's start until it was taken back",
    unit: Unit::Time,
    properties: &[Property::OwnWindow],
    statistic: |of| of.step_awaited("began", "rolled-back"),
    ..Measure::DEFAULT
};
