//! `stale_reads`: reads that missed a write acknowledged before.

use crate::measure::{Claim, Comparison, MIN_SHARE, Measure, Row, RowWindow};
use crate::value::exact;

/// Probes that did not see an acknowledged write.
pub const STALE_READS: Measure = Measure {
    name: "stale_reads",
    meaning: "reads that missed a write acknowledged before",
    min_samples: MIN_SHARE,
    value: |of| exact(of.sum(|window| window.stale), of.sum(|window| window.probes)),
    rows: &[Row {
        id: "stale_reads",
        name: "stale reads",
        claim: Claim::Consistency,
        text: "reads that missed an acknowledged write",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio,
    }],
    ..Measure::DEFAULT
};
