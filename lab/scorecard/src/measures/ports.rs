//! `ports`: ports the arm listens on, one a process and one more where it is public. Counted in the plan, so exact.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow};

/// Listening ports.
pub const PORTS: Measure = Measure {
    name: "ports",
    meaning: "ports the arm listens on",
    properties: &[Property::OwnWindow],
    statistic: |of| {
        of.planned(|arm| {
            arm.instances.iter().map(|i| u64::from(i.copies) * (1 + u64::from(i.public_port.is_some()))).sum()
        })
    },
    rows: &[Row {
        id: "ports",
        name: "ports",
        claim: Claim::Complexity,
        text: "listening ports",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};
