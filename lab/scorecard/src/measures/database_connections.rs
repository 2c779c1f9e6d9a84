//! Connections of all processes of an arm to its databases: `db_readers` those that read, `db_writers` those that write.
//! Counted in the plan, so exact.

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow};

/// Connections that read.
pub const DB_READERS: Measure = Measure {
    name: "db_readers",
    meaning: "connections that read the arm's databases, in all processes: two a component, and at least one a process",
    statistic: |of| of.given(|resources| resources.readers),
    rows: &[row("db_readers", "db readers", "database connections that read")],
    ..Measure::DEFAULT
};

/// Connections that write.
pub const DB_WRITERS: Measure = Measure {
    name: "db_writers",
    meaning: "connections that write the arm's databases: one for each process and database",
    statistic: |of| of.given(|resources| resources.writers),
    rows: &[row("db_writers", "db writers", "database connections that write")],
    ..Measure::DEFAULT
};

const fn row(id: &'static str, name: &'static str, text: &'static str) -> Row {
    let (window, comparison) = (RowWindow::Whole, Comparison::Ratio(1.0));
    Row { id, name, claim: Claim::Complexity, text, window, comparison }
}
