//! `rate(journey)`: good journeys per second.

use record::Better;

use crate::expect::Parameter;
use crate::inference::{Statistic, Terms};
use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;

/// Good journeys per second.
pub const RATE: Measure = Measure {
    name: "rate",
    parameter: Parameter::Journey,
    meaning: "journeys answered ok and in time, over the window's seconds",
    unit: Unit::Rate,
    better: Better::Higher,
    properties: &[Property::Cumulative],
    statistic: rate,
    rows: &[Row {
        id: "rate",
        name: "good/s",
        claim: Claim::Scalability,
        text: "good journeys per second",
        window: RowWindow::Steady,
        comparison: Comparison::SameAs("goodput"),
    }],
    ..Measure::DEFAULT
};

fn rate(of: &Selection<'_>) -> Statistic {
    of.quotient(of.sum(|window| window.good), 1.0, |unit| {
        Some(Terms { numerator: unit.sum(|window| window.good) as f64, denominator: unit.length_s() })
    })
}
