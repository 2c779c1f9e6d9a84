//! `rate_per_gib`: good journeys per second and GiB held. Memory has one highest value a run, so there is no interval.

use record::{Better, Measured};

use super::{memory, rate};
use crate::measure::{Claim, Comparison, Measure, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::scaled;

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

/// Good journeys per second over GiB of proportional set size.
pub const RATE_PER_GIB: Measure = Measure {
    name: "rate_per_gib",
    meaning: "good journeys per second over GiB held (PSS)",
    unit: Unit::Rate,
    better: Better::Higher,
    value: per_gib,
    rows: &[Row {
        id: "rate_per_gib",
        name: "good/s/GiB",
        claim: Claim::Scalability,
        text: "good journeys per second and GiB held",
        window: RowWindow::Steady,
        comparison: Comparison::Intervals,
    }],
    ..Measure::DEFAULT
};

fn per_gib(of: &Selection<'_>) -> Measured {
    let held = memory::of_arm(of).value.map(|bytes| bytes / GIB).filter(|gib| *gib > 0.0);
    held.map_or_else(Measured::default, |gib| scaled(rate::rate(of), 1.0 / gib))
}
