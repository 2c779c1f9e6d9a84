//! `blast_radius(step id)`: the share of the journeys that do not need what a step hits, and still failed or came too
//! late, from the step to the end of its phase.

use model::SECOND;
use record::Measured;

use crate::expect::Parameter;
use crate::measure::{Claim, Comparison, MIN_SHARE, Measure, Row, RowWindow, Unit};
use crate::selection::{Selection, phase_of};
use crate::value::proportion;

/// Journeys hurt that do not need the step's target.
pub const BLAST_RADIUS: Measure = Measure {
    name: "blast_radius",
    parameter: Parameter::Step,
    meaning: "share of journeys hurt that do not need what the step hits",
    unit: Unit::Share,
    min_samples: MIN_SHARE,
    value: blast_radius,
    rows: &[Row {
        id: "blast_radius",
        name: "blast radius",
        claim: Claim::Isolation,
        text: "journeys hurt that do not need what {step} hits",
        window: RowWindow::EachStep,
        comparison: Comparison::Ratio,
    }],
    ..Measure::DEFAULT
};

fn blast_radius(of: &Selection<'_>) -> Measured {
    let header = &of.run.header;
    let Some((step, phase)) = of.step().and_then(|step| Some((step, phase_of(header, step)?))) else {
        return Measured::default();
    };
    let second = |ns: u64| u32::try_from(ns / SECOND).unwrap_or(0);
    let after = of.of_seconds(second(step.start_ns)..second(phase.start_ns + phase.length_ns));
    let is_bystander = |journey: &str| {
        let mut journeys = header.journeys.iter().filter(|plan| plan.name == journey);
        journeys.any(|plan| !plan.needs.iter().any(|need| step.hits.contains(need)))
    };
    let (mut offered, mut hurt) = (0, 0);
    for window in after.windows(is_bystander) {
        offered += window.offered;
        hurt += window.offered.saturating_sub(window.good);
    }
    proportion(hurt, offered)
}
