//! `time_to_first_served(step id)`, `time_to_fully_served(step id)`: from the start of a deploy of a change to the first
//! answer of its behaviour, and to the first one after the last process without it has gone. Where that does not come while
//! the load goes on, the value lies beyond what was watched.

use crate::expect::Parameter;
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Measure, Property, Row, RowWindow, Unit};

/// To the first answer of the new behaviour, seconds.
pub const TIME_TO_FIRST_SERVED: Measure = Measure {
    name: "time_to_first_served",
    parameter: Parameter::Step,
    meaning: "from the start of a deploy to the first answer of the new behaviour, asked every 20 ms",
    unit: Unit::Time,
    properties: &[Property::OwnWindow],
    statistic: |of| of.step_awaited("watched", "first-served"),
    rows: &[Row {
        id: "first_served",
        name: "first served",
        claim: Claim::Delivery,
        text: "until the first answer of the new behaviour, from the start of {step}",
        window: RowWindow::EachStep,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// To the first answer after the old behaviour has gone, seconds.
pub const TIME_TO_FULLY_SERVED: Measure = Measure {
    name: "time_to_fully_served",
    parameter: Parameter::Step,
    meaning: "from the start of a deploy to the first answer of the new behaviour after the last process of the old build has \
              ended, asked every 20 ms",
    unit: Unit::Time,
    properties: &[Property::OwnWindow],
    statistic: |of| of.step_awaited("watched", "fully-served"),
    rows: &[Row {
        id: "fully_served",
        name: "fully served",
        claim: Claim::Delivery,
        text: "until every answer has the new behaviour, from the start of {step}",
        window: RowWindow::EachStep,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
    }],
    ..Measure::DEFAULT
};
