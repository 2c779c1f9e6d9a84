//! `time_to_finish(step id)`: from a step's start until it was done. Of a step that did not get there while the load went
//! on, the value lies beyond that.

use crate::expect::Parameter;
use crate::measure::{Measure, Property, Unit};

/// From a step's start until it was done, seconds.
pub const TIME_TO_FINISH: Measure = Measure {
    name: "time_to_finish",
    parameter: Parameter::Step,
    meaning: "from a step's start until it was done",
    unit: Unit::Time,
    properties: &[Property::OwnWindow],
    statistic: |of| of.step_awaited("began", "done"),
    ..Measure::DEFAULT
};
