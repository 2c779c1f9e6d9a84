//! `stale_reads`: reads that missed a write acknowledged before.

use crate::inference::{Statistic, Trials};
use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, SHARE_MARGIN, Unit};
use crate::selection::Selection;

/// Probes that did not see an acknowledged write.
pub const STALE_READS: Measure = Measure {
    name: "stale_reads",
    meaning: "reads that missed a write acknowledged before",
    unit: Unit::Share,
    properties: &[Property::NotSimulated],
    statistic: stale_reads,
    rows: &[Row {
        id: "stale_reads",
        name: "stale reads",
        claim: Claim::Consistency,
        text: "reads that missed an acknowledged write",
        window: RowWindow::Whole,
        comparison: Comparison::Difference(SHARE_MARGIN),
    }],
    ..Measure::DEFAULT
};

fn stale_reads(of: &Selection<'_>) -> Statistic {
    let trials = |unit: &Selection<'_>| Trials {
        events: unit.sum(|window| window.stale),
        trials: unit.sum(|window| window.probes),
    };
    Statistic::share(of.by_unit(|unit| Some(trials(unit))), Vec::new(), true)
}
