//! `rate_per_core`: good journeys per second and core used.

use record::Better;

use crate::inference::{Statistic, Terms};
use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;

/// Journeys a second over cores is journeys over seconds of CPU.
pub const RATE_PER_CORE: Measure = Measure {
    name: "rate_per_core",
    meaning: "good journeys over seconds of CPU used",
    unit: Unit::Rate,
    better: Better::Higher,
    properties: &[Property::NeedsContext, Property::DependsOnStart],
    statistic: per_core,
    rows: &[Row {
        id: "rate_per_core",
        name: "good/s/core",
        claim: Claim::Scalability,
        text: "good journeys per second and core used",
        window: RowWindow::Steady,
        comparison: Comparison::SameAs("cpu_per_journey"),
    }],
    ..Measure::DEFAULT
};

fn per_core(of: &Selection<'_>) -> Statistic {
    of.quotient(of.sum(|window| window.good), 1e9, |unit| {
        let (numerator, denominator) = (unit.sum(|window| window.good) as f64, unit.cpu_ns()? as f64);
        Some(Terms { numerator, denominator })
    })
}
