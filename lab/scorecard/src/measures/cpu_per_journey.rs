//! `cpu_per_journey`: CPU of all processes of an arm per journey sent.

use model::SECOND;
use record::Measured;

use crate::measure::{Blocks, Claim, Comparison, MIN_SHARE, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::plain;

/// CPU seconds per journey.
pub const CPU_PER_JOURNEY: Measure = Measure {
    name: "cpu_per_journey",
    meaning: "CPU of all processes of the arm, from /proc, over journeys finished",
    unit: Unit::Time,
    min_samples: MIN_SHARE,
    blocks: Blocks::RatioAndInterval,
    properties: &[Property::NeedsContext, Property::NeedsOpenLoop],
    value: per_journey,
    rows: &[Row {
        id: "cpu_per_journey",
        name: "CPU/journey",
        claim: Claim::Latency,
        text: "CPU of the arm per journey",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio,
    }],
    ..Measure::DEFAULT
};

pub(super) fn per_journey(of: &Selection<'_>) -> Measured {
    let journeys = of.sent();
    let cpu = of.cpu_ns().filter(|_| journeys > 0);
    plain(cpu.map(|ns| ns as f64 / SECOND as f64 / journeys as f64), journeys)
}
