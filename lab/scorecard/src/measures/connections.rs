//! `connections`: sockets open in the arm's processes, each at its most. Seen once a run, so without interval.

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow};
use crate::value::once;

/// Open sockets.
pub const CONNECTIONS: Measure = Measure {
    name: "connections",
    meaning: "sockets open in the arm's processes at most",
    value: |of| {
        let samples = of.run.processes(of.arm);
        let highest: Vec<u32> =
            samples.filter_map(|(_, samples)| samples.iter().map(|(_, proc)| proc.sockets).max()).collect();
        once((!highest.is_empty()).then(|| highest.iter().sum::<u32>().into()))
    },
    rows: &[Row {
        id: "connections",
        name: "sockets",
        claim: Claim::Complexity,
        text: "sockets open at most",
        window: RowWindow::Whole,
        comparison: Comparison::Intervals,
    }],
    ..Measure::DEFAULT
};
