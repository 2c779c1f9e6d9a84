//! `duplicated_writes`: acknowledged writes found more than once, as the audit at the end of a run counts them. Of all rounds, whatever the window.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, SHARE_MARGIN};

/// Acknowledged writes found more than once.
pub const DUPLICATED_WRITES: Measure = Measure {
    name: "duplicated_writes",
    meaning: "acknowledged writes the audit found more than once",
    properties: &[Property::OwnWindow, Property::NotSimulated],
    statistic: |of| of.audited(|audit| audit.duplicated),
    rows: &[Row {
        id: "duplicated_writes",
        name: "duplicated",
        claim: Claim::Consistency,
        text: "acknowledged writes found twice",
        window: RowWindow::Whole,
        comparison: Comparison::Difference(SHARE_MARGIN),
    }],
    ..Measure::DEFAULT
};
