//! `start_up`: from the arm's first process to all serving. Seen once a run, so without interval.

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow, Unit};
use crate::value::once;

/// Seconds to serving.
pub const START_UP: Measure = Measure {
    name: "start_up",
    meaning: "from the arm's first process to all serving",
    unit: Unit::Time,
    value: |of| once(of.plan().filter(|arm| arm.ready_ms > 0).map(|arm| arm.ready_ms as f64 / 1e3)),
    rows: &[Row {
        id: "start_up",
        name: "start-up",
        claim: Claim::Complexity,
        text: "from the first process to serving",
        window: RowWindow::Whole,
        comparison: Comparison::Intervals,
    }],
    ..Measure::DEFAULT
};
