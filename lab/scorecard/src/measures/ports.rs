//! `ports`: ports the arm listens on, one a process and one more where it is public, and those of its servers. Counted in the plan,
//! so exact.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow};

/// Listening ports.
pub const PORTS: Measure = Measure {
    name: "ports",
    meaning: "ports the arm listens on, its servers included",
    properties: &[Property::OwnWindow],
    statistic: |of| {
        of.planned(|arm| {
            let of_instances =
                arm.instances.iter().map(|i| u64::from(i.copies) * (1 + u64::from(i.public_port.is_some())));
            of_instances.sum::<u64>() + u64::from(arm.server_ports)
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
