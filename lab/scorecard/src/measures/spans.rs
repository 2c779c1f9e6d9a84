//! `spans`: spans that ended, per journey sent.

use crate::measure::{Claim, Comparison, Measure, Property, RESOURCE_MARGIN, Row, RowWindow};

/// Spans per journey.
pub const SPANS: Measure = Measure {
    name: "spans",
    meaning: "spans ended over journeys finished, sampled or not as configured",
    properties: &[Property::NotSimulated],
    statistic: |of| of.per_journey(1.0, |unit| unit.reported(|proc| proc.spans[0])),
    rows: &[Row {
        id: "spans",
        name: "spans/journey",
        claim: Claim::Monitoring,
        text: "spans per journey",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};
