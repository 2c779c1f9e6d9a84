//! `processes`: processes the arm is made of, servers included. Counted in the plan, so exact.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow};

/// Processes.
pub const PROCESSES: Measure = Measure {
    name: "processes",
    meaning: "processes the arm is made of; a server of databases or of events is one",
    properties: &[Property::OwnWindow],
    statistic: |of| of.planned(|arm| arm.processes() as u64 + u64::from(arm.servers)),
    rows: &[Row {
        id: "processes",
        name: "processes",
        claim: Claim::Complexity,
        text: "processes",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};
