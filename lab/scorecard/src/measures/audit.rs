//! What the audit at the end of a run found of acknowledged writes: `lost_writes`, `duplicated_writes`. Counts of all
//! rounds, whatever the window.

use record::{Audit, Measured};

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow};
use crate::selection::Selection;
use crate::value::exact;

/// Acknowledged writes that are gone.
pub const LOST_WRITES: Measure = Measure {
    name: "lost_writes",
    meaning: "acknowledged writes the audit did not find",
    value: |of| audited(of, |audit| audit.lost),
    rows: &[row("lost_writes", "lost", "acknowledged writes that are gone")],
    ..Measure::DEFAULT
};

/// Acknowledged writes found more than once.
pub const DUPLICATED_WRITES: Measure = Measure {
    name: "duplicated_writes",
    meaning: "acknowledged writes the audit found more than once",
    value: |of| audited(of, |audit| audit.duplicated),
    rows: &[row("duplicated_writes", "duplicated", "acknowledged writes found twice")],
    ..Measure::DEFAULT
};

const fn row(id: &'static str, name: &'static str, text: &'static str) -> Row {
    let (window, comparison) = (RowWindow::Whole, Comparison::Ratio);
    Row { id, name, claim: Claim::Consistency, text, window, comparison }
}

fn audited(of: &Selection<'_>, which: impl Fn(&Audit) -> u64) -> Measured {
    of.run.audit(of.arm).map_or_else(Measured::default, |audit| exact(which(&audit), audit.acknowledged))
}
