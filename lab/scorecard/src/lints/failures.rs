//! Failures that no fault and no planned change explains: something of the start or of the machine is measured then.

use std::collections::BTreeMap;

use model::{Run, SECOND, Window};
use record::Arm;

/// Share of arrivals up to which failures are chance.
const MAX_SHARE: f64 = 0.01;

/// A sentence where more arrivals than that failed outside of everything that may make them fail: a step of the arm, with
/// what comes after it, be it recovery or relapse; the same of a phase that is overloaded on purpose; a rung of a search for
/// capacity; a closed loop, which drives every arm to its limit.
pub(super) fn without_cause(run: &Run, arm: &Arm) -> Option<String> {
    if run.header.closed {
        return None;
    }
    let mut offered = 0;
    let mut by_cause: BTreeMap<String, u64> = BTreeMap::new();
    for (from, to) in quiet_stretches(run, arm) {
        let range = run.whole(&Window::Seconds(from, to));
        offered += run.sum(arm.letter, &range, "all", |window| window.offered);
        for window in run.windows(arm.letter, &range, |_| true) {
            let errors = window.errors.iter().map(|(cause, n)| (cause.as_str(), *n));
            for (cause, n) in errors.chain([("dropped", window.dropped)]).filter(|(_, n)| *n > 0) {
                *by_cause.entry(cause.to_owned()).or_default() += n;
            }
        }
    }
    let failed: u64 = by_cause.values().sum();
    let share = failed as f64 / offered.max(1) as f64;
    let causes: Vec<String> = by_cause.iter().map(|(cause, n)| format!("{n} {cause}")).collect();
    (share > MAX_SHARE).then(|| {
        format!(
            "{}: {failed} of {offered} arrivals ({:.1} %) failed with no fault in force: {}",
            arm.name,
            share * 100.0,
            causes.join(", ")
        )
    })
}

/// Stretches of load seconds, before the first step of an arm and before the load is more than it can do, in which nothing
/// should fail.
fn quiet_stretches(run: &Run, arm: &Arm) -> Vec<(u32, u32)> {
    let seconds = |ns: u64| u32::try_from(ns / SECOND).unwrap_or(u32::MAX);
    let acts = |step: &&record::StepPlan| !step.not_applicable.contains_key(&arm.letter);
    let steps = run.header.steps.iter().filter(acts).map(|step| step.start_ns);
    let overloads = run.header.phases.iter().filter(|phase| run.is_overloaded(phase));
    let first_cause = steps.chain(overloads.map(|phase| phase.start_ns)).map(seconds).min();
    let is_search = run.header.expectations.iter().any(|expectation| expectation.text.contains("capacity("));
    let phases = run.header.phases.iter();
    let phases = phases.filter(|phase| !(is_search && (phase.measure || run.is_further(phase))));
    let stretches = phases.map(|phase| {
        let end = seconds(phase.start_ns + phase.length_ns);
        (seconds(phase.start_ns), end.min(first_cause.unwrap_or(u32::MAX)))
    });
    stretches.filter(|(from, to)| from < to).collect()
}
