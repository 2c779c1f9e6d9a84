//! `cpu_per_journey`: CPU of all processes of an arm per journey sent.

use crate::measure::{Claim, Comparison, Measure, Property, RESOURCE_MARGIN, Row, RowWindow, Unit};
use crate::selection::Selection;

/// CPU seconds per journey.
pub const CPU_PER_JOURNEY: Measure = Measure {
    name: "cpu_per_journey",
    meaning: "CPU of all processes of the arm, from /proc and without that of injected delays, over journeys finished",
    unit: Unit::Time,
    properties: &[Property::NeedsContext, Property::NeedsOpenLoop, Property::DependsOnStart],
    statistic: |of| of.per_journey(1e-9, Selection::cpu_ns),
    rows: &[Row {
        id: "cpu_per_journey",
        name: "CPU/journey",
        claim: Claim::Latency,
        text: "CPU per journey",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};
