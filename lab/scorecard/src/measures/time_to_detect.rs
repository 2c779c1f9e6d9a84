//! `time_to_detect(step id)`: from a step's start until it was noticed to be bad. Of a step that did not get there
//! while the load went on, the value lies beyond that.

use crate::expect::Parameter;
use crate::measure::{Measure, Property, Unit};

/// From a step's start until it was noticed to be bad, seconds.
pub const TIME_TO_DETECT: Measure = Measure {
    name: "time_to_detect",
    parameter: Parameter::Step,
    meaning: "from a step's start until it was noticed to be bad",
    unit: Unit::Time,
    properties: &[Property::OwnWindow],
    statistic: |of| of.step_awaited("began", "detected"),
    ..Measure::DEFAULT
};
