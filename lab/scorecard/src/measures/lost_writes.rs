//! `lost_writes`: acknowledged writes that are gone, as the audit at the end of a run counts them. Of all rounds, whatever the window.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, SHARE_MARGIN};

/// Acknowledged writes that are gone.
pub const LOST_WRITES: Measure = Measure {
    name: "lost_writes",
    meaning: "acknowledged writes the audit did not find",
    properties: &[Property::OwnWindow, Property::NotSimulated],
    statistic: |of| of.audited(|audit| audit.lost),
    rows: &[Row {
        id: "lost_writes",
        name: "lost",
        claim: Claim::Consistency,
        text: "acknowledged writes that are gone",
        window: RowWindow::Whole,
        comparison: Comparison::Difference(SHARE_MARGIN),
    }],
    ..Measure::DEFAULT
};
