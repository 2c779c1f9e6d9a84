//! `start_up`: from the arm's first process to all serving. Seen once a run, so without interval.

use crate::inference::{Once, Statistic};
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Measure, Property, Row, RowWindow, Unit};

/// Seconds to serving.
pub const START_UP: Measure = Measure {
    name: "start_up",
    meaning: "from the arm's first process to all serving",
    unit: Unit::Time,
    properties: &[Property::OwnWindow, Property::NotSimulated],
    statistic: |of| {
        let ready = of.plan().filter(|arm| arm.ready_ms > 0).map(|arm| Once::of(arm.ready_ms as f64 / 1e3));
        Statistic::once(vec![ready])
    },
    rows: &[Row {
        id: "start_up",
        name: "start-up",
        claim: Claim::Complexity,
        text: "start-up time",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
    }],
    ..Measure::DEFAULT
};
