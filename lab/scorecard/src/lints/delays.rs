//! Delays that took longer than they asked for: a fault, or a network, that is not the one declared.

use model::Run;
use model::delays::OF_NETWORK;
use model::format::value;
use record::{Arm, StepPlan};

use super::Doubt;
use crate::argument::Argument;
use crate::expect::{Expectation, Query, Side, Window};
use crate::measure::Unit;
use crate::selection::phase_of;

/// A delay may be so much too long at the median, seconds: what it takes to wake a task.
const MAX_LATE_S: f64 = 50e-6;
/// Or this share of what was asked for.
const MAX_LATE_SHARE: f64 = 0.1;
/// Fewer delays have no median to speak of.
const MIN_DELAYS: u64 = 20;

/// Delays of steps that a claim uses, or looks at the phase of, and those of the network, which every claim is about.
pub(super) fn doubts(run: &Run, claim: &Expectation) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for arm in &run.header.arms {
        for step in run.header.steps.iter().filter(|step| uses(run, claim, step)) {
            doubts.extend(off_target(run, arm, step.number, &step.id));
        }
        doubts.extend(off_target(run, arm, OF_NETWORK, "one way of the network"));
    }
    doubts
}

fn off_target(run: &Run, arm: &Arm, step: u32, what: &str) -> Option<Doubt> {
    let delay = run.delivered_delay(arm.letter, step).filter(|delay| delay.n >= MIN_DELAYS)?;
    let time = |seconds: f64| value(Some(seconds), Unit::Time.symbol());
    (delay.late_s > MAX_LATE_S.max(MAX_LATE_SHARE * delay.asked_s)).then(|| Doubt {
        lint: "delay_off_target",
        reason: format!(
            "{}: {what} asked for {} and took {} at the median",
            arm.name,
            time(delay.asked_s),
            time(delay.delivered_s())
        ),
    })
}

/// Whether a claim names the step, or looks at the phase in which it begins.
fn uses(run: &Run, claim: &Expectation, step: &StepPlan) -> bool {
    let phase = phase_of(&run.header, step);
    let is_its_phase = |window: &Window| match window {
        Window::Phase(name) => phase.is_some_and(|phase| phase.name == *name),
        Window::Whole | Window::Last(_) | Window::Seconds(..) => true,
    };
    let is_step = |argument: &Argument| match argument {
        Argument::Step(name) => *name == step.id || *name == step.number.to_string(),
        _ => false,
    };
    let uses = |query: &Query| is_step(&query.argument) || is_its_phase(&query.window);
    [&claim.left, &claim.right].into_iter().any(|side| match side {
        Side::Measure { query, .. } => uses(query),
        Side::Quantity { .. } => false,
    })
}
