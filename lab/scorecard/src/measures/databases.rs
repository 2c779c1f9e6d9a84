//! `databases`: databases the arm keeps. Counted in the plan, so exact.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow};

/// Databases.
pub const DATABASES: Measure = Measure {
    name: "databases",
    meaning: "databases the arm keeps",
    properties: &[Property::OwnWindow],
    statistic: |of| of.planned(|arm| arm.databases.into()),
    rows: &[Row {
        id: "databases",
        name: "databases",
        claim: Claim::Complexity,
        text: "databases",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};
