//! `rate(journey)`: good journeys per second.

use record::{Better, Measured};

use crate::expect::Parameter;
use crate::measure::{Blocks, Claim, Comparison, MIN_SHARE, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::plain;

/// Good journeys per second.
pub const RATE: Measure = Measure {
    name: "rate",
    parameter: Parameter::Journey,
    meaning: "journeys answered ok and in time, over the window's seconds",
    unit: Unit::Rate,
    better: Better::Higher,
    min_samples: MIN_SHARE,
    blocks: Blocks::RatioAndInterval,
    properties: &[Property::Cumulative],
    value: rate,
    rows: &[Row {
        id: "rate",
        name: "good/s",
        claim: Claim::Scalability,
        text: "good journeys per second",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio,
    }],
    ..Measure::DEFAULT
};

pub(super) fn rate(of: &Selection<'_>) -> Measured {
    let (good, seconds) = (of.sum(|window| window.good), of.length_s());
    plain((seconds > 0.0).then(|| good as f64 / seconds), good)
}
