//! `worker_threads`: threads that serve requests, in all processes of the arm. Counted in the plan, so exact.

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow};

/// Threads that serve requests.
pub const WORKER_THREADS: Measure = Measure {
    name: "worker_threads",
    meaning: "threads that serve requests, in all processes of the arm: at least one a process, and at most its cores unless declared",
    statistic: |of| of.given(|resources| resources.workers),
    rows: &[Row {
        id: "worker_threads",
        name: "workers",
        claim: Claim::Complexity,
        text: "threads that serve requests",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};
