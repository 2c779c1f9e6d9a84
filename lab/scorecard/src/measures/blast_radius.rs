//! `blast_radius(step id)`: the share of the journeys that do not need what a step hits, and still failed or came too
//! late, from the step to the end of its phase.

use model::SECOND;
use record::{Header, StepPlan};

use crate::expect::Parameter;
use crate::inference::{Once, Statistic};
use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, SHARE_MARGIN, Unit};
use crate::selection::{Selection, phase_of};

/// Journeys that do not need what a step hits, below which their shares decide nothing: one of them is two points. Ours: the
/// phase of a fault is short, and few journeys need nothing of what it hits.
pub(super) const MIN_BYSTANDERS: u64 = 50;

/// Collateral failures: journeys that do not need the step's target.
pub const BLAST_RADIUS: Measure = Measure {
    name: "blast_radius",
    parameter: Parameter::Step,
    meaning: "collateral failures: share of the journeys that do not need what the step hits, and failed or came too late",
    unit: Unit::Share,
    properties: &[Property::OwnWindow],
    statistic: blast_radius,
    rows: &[Row {
        id: "blast_radius",
        name: "collateral failures",
        claim: Claim::Isolation,
        text: "collateral failures of {step} (journeys that do not need {hits})",
        window: RowWindow::EachStep,
        comparison: Comparison::Difference(SHARE_MARGIN),
    }],
    ..Measure::DEFAULT
};

fn blast_radius(of: &Selection<'_>) -> Statistic {
    let hurt: Vec<Option<(u64, u64)>> = of.by_round(bystanders);
    let n = hurt.iter().flatten().map(|(_, offered)| offered).sum();
    let share = |(hurt, offered): (u64, u64)| Once::of(hurt as f64 / offered as f64);
    let shares = hurt.into_iter().map(|round| round.map(share)).collect();
    Statistic::event(shares).of_samples(n).needing(MIN_BYSTANDERS)
}

/// Whether a journey does not need what the step hits.
pub(super) fn is_bystander(header: &Header, step: &StepPlan, journey: &str) -> bool {
    let mut journeys = header.journeys.iter().filter(|plan| plan.name == journey);
    journeys.any(|plan| !plan.needs.iter().any(|need| step.hits.contains(need)))
}

/// Journeys of a round that were hurt, and all, of those that do not need what the step hits.
fn bystanders(of: &Selection<'_>) -> Option<(u64, u64)> {
    let header = &of.run.header;
    let (step, phase) = of.step().and_then(|step| Some((step, phase_of(header, step)?)))?;
    let second = |ns: u64| u32::try_from(ns / SECOND).unwrap_or(0);
    let after = of.of_seconds(second(step.start_ns)..second(phase.start_ns + phase.length_ns));
    let (mut offered, mut hurt) = (0, 0);
    for window in after.windows(|journey| is_bystander(header, step, journey)) {
        offered += window.offered;
        hurt += window.offered.saturating_sub(window.good);
    }
    (offered > 0).then_some((hurt, offered))
}
