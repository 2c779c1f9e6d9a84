//! Delays that took longer than they asked for: a fault, or a network, that is not the one declared.

use model::Run;
use model::delays::OF_NETWORK;
use model::format::value;
use record::{Arm, StepPlan};

use super::{Doubt, LintList};
use crate::argument::Argument;
use crate::expect::{Expectation, Query, Side};
use crate::measure::Unit;

/// Name of the lint.
const OFF_TARGET: &str = "delay_off_target";
/// A delay may be so much too long at the median, seconds: what it takes to wake a task.
const MAX_LATE_S: f64 = 50e-6;
/// Or this share of what was asked for.
const MAX_LATE_SHARE: f64 = 0.1;
/// Fewer delays have no median to speak of.
const MIN_DELAYS: u64 = 20;

/// Delays, in the arms that a claim is about, of steps that it names or that act in its window, and of the network.
pub(super) fn doubts(run: &Run, claim: &Expectation) -> Vec<Doubt> {
    let sides = [&claim.left, &claim.right].into_iter().filter_map(|side| match side {
        Side::Measure { query, .. } => Some(query),
        Side::Quantity { .. } => None,
    });
    let queries: Vec<&Query> = sides.collect();
    let mut doubts = Vec::new();
    for arm in &run.header.arms {
        let of_arm: Vec<&Query> =
            queries.iter().copied().filter(|query| query.arms(run).contains(&arm.letter)).collect();
        if of_arm.is_empty() {
            continue;
        }
        for step in &run.header.steps {
            if of_arm.iter().any(|query| uses(run, query, arm.letter, step)) {
                doubts.extend(of_step(run, arm, step));
            }
        }
        doubts.extend(of_network(run, arm));
    }
    doubts
}

/// Delays that were not as asked where no claim is about them.
pub(super) fn notes(run: &Run, found: &mut LintList) {
    for arm in &run.header.arms {
        let of_steps = run.header.steps.iter().filter_map(|step| of_step(run, arm, step));
        if let Some(doubt) = of_steps.chain(of_network(run, arm)).next() {
            found.add_note(OFF_TARGET, doubt.reason);
        }
    }
}

fn of_step(run: &Run, arm: &Arm, step: &StepPlan) -> Option<Doubt> {
    off_target(run, arm, step.number, &step.id)
}

fn of_network(run: &Run, arm: &Arm) -> Option<Doubt> {
    off_target(run, arm, OF_NETWORK, "one way of the network")
}

fn off_target(run: &Run, arm: &Arm, step: u32, what: &str) -> Option<Doubt> {
    let delay = run.delivered_delay(arm.letter, step).filter(|delay| delay.n >= MIN_DELAYS)?;
    let time = |seconds: f64| value(Some(seconds), Unit::Time.symbol());
    (delay.late_s > MAX_LATE_S.max(MAX_LATE_SHARE * delay.asked_s)).then(|| Doubt {
        lint: OFF_TARGET,
        reason: format!(
            "{}: {what} asked for {} and took {} at the median",
            arm.name,
            time(delay.asked_s),
            time(delay.delivered_s())
        ),
    })
}

/// Whether a side of a claim names the step, or looks at seconds of an arm in which it acts.
fn uses(run: &Run, query: &Query, arm: char, step: &StepPlan) -> bool {
    let is_named = match &query.argument {
        Argument::Step(name) => *name == step.id || *name == step.number.to_string(),
        _ => false,
    };
    is_named || query.of(run, arm).has_step(step)
}
