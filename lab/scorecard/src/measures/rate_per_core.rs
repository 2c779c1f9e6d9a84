//! `rate_per_core`: good journeys per second and core used.

use model::SECOND;
use record::{Better, Measured};

use crate::measure::{Blocks, Claim, Comparison, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::plain;

/// Journeys a second over cores is journeys over seconds of CPU.
pub const RATE_PER_CORE: Measure = Measure {
    name: "rate_per_core",
    meaning: "good journeys over seconds of CPU used",
    unit: Unit::Rate,
    better: Better::Higher,
    blocks: Blocks::RatioAndInterval,
    properties: &[Property::NeedsContext],
    value: per_core,
    rows: &[Row {
        id: "rate_per_core",
        name: "good/s/core",
        claim: Claim::Scalability,
        text: "good journeys per second and core used",
        window: RowWindow::Steady,
        comparison: Comparison::HiddenRatio,
    }],
    ..Measure::DEFAULT
};

fn per_core(of: &Selection<'_>) -> Measured {
    let good = of.sum(|window| window.good);
    let cpu = of.cpu_ns().filter(|ns| *ns > 0);
    plain(cpu.map(|ns| good as f64 * SECOND as f64 / ns as f64), good)
}
