//! `spans`: spans that ended, per journey sent.

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow};
use crate::value::plain;

/// Spans per journey.
pub const SPANS: Measure = Measure {
    name: "spans",
    meaning: "spans ended over journeys sent, sampled or not as configured",
    value: |of| {
        let journeys = of.sent();
        let ended = of.grown(|proc| proc.spans[0]).filter(|_| journeys > 0);
        plain(ended.map(|ended| ended as f64 / journeys as f64), journeys)
    },
    rows: &[Row {
        id: "spans",
        name: "spans/journey",
        claim: Claim::Monitoring,
        text: "spans per journey",
        window: RowWindow::Steady,
        comparison: Comparison::Unjudged,
    }],
    ..Measure::DEFAULT
};
