//! Checks that no two steps at once hide or undo each other: of these only one would be in force.

use fault::{Actuator, Fault, Pattern, Target};

use crate::action::Action;
use crate::reader::Reader;
use crate::scenario::Step;

/// Reports steps that would not be in force, or not as long as they say, beside one that is written before them.
pub(crate) fn check_collisions(reader: &mut Reader<'_>, steps: &[Step]) {
    for (index, step) in steps.iter().enumerate() {
        let mut others = steps[..index].iter().filter(|other| is_at_once(step, other));
        if let Some((other, reason)) = others.find_map(|other| Some((other, collision(step, other)?))) {
            let message = format!(
                "step `{}` is in force at the same time, and {reason}; write another `at`, or a shorter `for`",
                other.id
            );
            reader.report(step.span.clone(), message);
        }
    }
}

fn is_at_once(one: &Step, other: &Step) -> bool {
    let end = |step: &Step| step.start_ns.saturating_add(step.length_ns);
    one.start_ns < end(other) && other.start_ns < end(one)
}

/// Why one of two steps at once would not be carried out; `None` where both are.
fn collision(one: &Step, other: &Step) -> Option<&'static str> {
    match (&one.action, &other.action) {
        (Action::Autoscale(_), Action::Autoscale(_)) if one.target == other.target => {
            Some("each would undo what the other decides")
        }
        (Action::Fault(Fault::Registry(_)), Action::Fault(Fault::Registry(_))) => {
            Some("the registry answers in one way at a time")
        }
        (Action::Fault(Fault::DiskFull(_)), Action::Fault(Fault::DiskFull(_)))
            if one.target == other.target && matches!(one.target, Some(Target::Server(_))) =>
        {
            Some("the disk has space again when the first of them ends")
        }
        (Action::Fault(fault), Action::Fault(other_fault)) => {
            let (target, other_target) = (one.target?, other.target?);
            let has_proxy =
                |fault: &Fault, target: Target| fault.actuator_on(target.kind()) == Actuator::Proxy;
            let both_have = has_proxy(fault, target) && has_proxy(other_fault, other_target);
            // On one edge of the same copies they share a proxy, which does both.
            let is_shared = target == other_target && one.pick == other.pick;
            (both_have && !is_shared && share_connections(target, other_target))
                .then_some("a connection goes through the proxy of one fault only")
        }
        _ => None,
    }
}

/// Whether a connection can be meant by both edges.
fn share_connections(one: Target, other: Target) -> bool {
    match (one, other) {
        (Target::Edge { caller, callee }, Target::Edge { caller: other_caller, callee: other_callee }) => {
            overlap(caller, other_caller) && overlap(callee, other_callee)
        }
        _ => false,
    }
}

fn overlap(one: Pattern, other: Pattern) -> bool {
    match (one, other) {
        (Pattern::Instance(..), Pattern::Instance(..)) | (Pattern::Zone(_), Pattern::Zone(_)) => one == other,
        _ => one.name().zip(other.name()).is_none_or(|(name, other_name)| name == other_name),
    }
}
