//! `goodput(journey)`: the share of offered journeys answered ok and in time.

use record::Better;

use crate::expect::Parameter;
use crate::measure::{Claim, Comparison, MIN_SHARE, Measure, Property, Row, RowWindow, Unit};

/// Good over offered.
pub const GOODPUT: Measure = Measure {
    name: "goodput",
    parameter: Parameter::Journey,
    meaning: "journeys answered ok and within the time a user waits, over offered",
    unit: Unit::Share,
    better: Better::Higher,
    min_samples: MIN_SHARE,
    properties: &[Property::Cumulative, Property::NeedsOpenLoop],
    value: |of| of.share(|window| window.good),
    rows: &[
        Row {
            id: "goodput",
            name: "good",
            claim: Claim::Scalability,
            text: "journeys answered ok and in time",
            window: RowWindow::Steady,
            comparison: Comparison::Ratio,
        },
        Row {
            id: "goodput",
            name: "good",
            claim: Claim::Isolation,
            text: "goodput while {step} lasts",
            window: RowWindow::EachStep,
            comparison: Comparison::Ratio,
        },
    ],
    ..Measure::DEFAULT
};
