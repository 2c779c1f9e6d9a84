//! `connections`: sockets open in the arm's processes, each at its most. Seen once a run, so without interval.

use std::sync::Arc;

use record::Proc;

use crate::inference::{Once, Statistic};
use crate::measure::{Claim, Comparison, Measure, Property, RESOURCE_MARGIN, Row, RowWindow};
use crate::selection::Selection;

/// Open sockets.
pub const CONNECTIONS: Measure = Measure {
    name: "connections",
    meaning: "sockets open in the arm's processes at most",
    properties: &[Property::NotSimulated],
    statistic: |of| Statistic::once(of.by_round(highest)),
    rows: &[Row {
        id: "connections",
        name: "sockets",
        claim: Claim::Complexity,
        text: "sockets open at most",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

fn highest(round: &Selection<'_>) -> Option<Once> {
    let within = round.run_time();
    let is_inside = |t: &u64| within.iter().any(|range| range.contains(t));
    let of_process = |samples: &[(u64, Arc<Proc>)]| {
        samples.iter().filter(|(t, _)| is_inside(t)).map(|(_, proc)| proc.sockets).max()
    };
    let highest: Vec<u32> =
        round.run.processes(round.arm).filter_map(|(_, samples)| of_process(samples)).collect();
    (!highest.is_empty()).then(|| Once::of(highest.iter().sum::<u32>().into()))
}
