//! `goodput(journey)`: the share of offered journeys answered ok and in time.

use record::Better;

use crate::expect::Parameter;
use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, SHARE_MARGIN, Unit};

/// Good over offered.
pub const GOODPUT: Measure = Measure {
    name: "goodput",
    parameter: Parameter::Journey,
    meaning: "journeys answered ok and within the time a user waits, over offered",
    unit: Unit::Share,
    better: Better::Higher,
    properties: &[Property::Cumulative, Property::NeedsOpenLoop],
    statistic: |of| of.share_of_journeys(false, |window| window.good),
    rows: &[
        Row {
            id: "goodput",
            name: "good",
            claim: Claim::Scalability,
            text: "journeys answered ok and in time",
            window: RowWindow::Steady,
            comparison: Comparison::Difference(SHARE_MARGIN),
        },
        Row {
            id: "goodput",
            name: "good",
            claim: Claim::Isolation,
            text: "goodput while {step} lasts",
            window: RowWindow::StepsAndOverloads,
            comparison: Comparison::Difference(SHARE_MARGIN),
        },
    ],
    ..Measure::DEFAULT
};
