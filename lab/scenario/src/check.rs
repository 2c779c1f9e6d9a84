//! What no section can see alone: names that must exist elsewhere in the file.

use scorecard::expect::{Kind, Measure, Side, Window};

use crate::model::{Assertion, Scenario};
use crate::read::Reader;
use crate::source::unknown;

/// Checks what needs the whole scenario.
pub(crate) fn whole(reader: &mut Reader<'_>, scenario: &Scenario) {
    for assertion in scenario.valid.iter().chain(&scenario.check) {
        for side in [&assertion.that.left, &assertion.that.right] {
            if let Side::Measure { measure, .. } = side {
                names(reader, scenario, assertion, measure);
            }
        }
    }
}

fn names(reader: &mut Reader<'_>, scenario: &Scenario, assertion: &Assertion, measure: &Measure) {
    let span = place(scenario, assertion);
    let phases: Vec<&str> = scenario.phases.iter().map(|phase| phase.name.as_str()).collect();
    if let Window::Phase(phase) = &measure.window
        && !phases.contains(&phase.as_str())
    {
        reader.fault(span.clone(), unknown("phase", phase, phases));
    }
    let arms: Vec<&str> = scenario.topologies.iter().map(|(name, _)| name.as_str()).collect();
    for axis in &measure.axes {
        if !arms.contains(&axis.as_str()) {
            reader.fault(span.clone(), unknown("topology", axis, arms.clone()));
        }
    }
    match &measure.kind {
        Kind::Latency(_, journey)
        | Kind::Goodput(journey)
        | Kind::Rate(journey)
        | Kind::Errors(journey)
        | Kind::Availability(journey)
        | Kind::Recovery(journey) => selector(reader, scenario, span, journey),
        Kind::BlastRadius(step) => {
            let steps: Vec<&str> = scenario.steps.iter().map(|step| step.id.as_str()).collect();
            if !steps.contains(&step.as_str()) && step.parse::<usize>().is_err() {
                reader.fault(span, unknown("step", step, steps));
            }
        }
        Kind::Attempts(caller, callee) | Kind::BreakerOpen(caller, callee) => {
            let mut known: Vec<&str> = reader.components.iter().map(|c| c.as_str()).collect();
            known.push("gateway");
            for name in [caller, callee] {
                if !known.contains(&name.as_str()) {
                    let message = unknown("component", name, known.iter().copied());
                    reader.fault(span.clone(), message);
                }
            }
        }
        _ => {}
    }
}

fn selector(reader: &mut Reader<'_>, scenario: &Scenario, span: std::ops::Range<usize>, written: &str) {
    let mut known: Vec<&str> = vec!["all"];
    for journey in scenario.load.journeys() {
        known.push(journey.name());
        known.extend(journey.groups());
    }
    known.dedup();
    if !known.contains(&written) {
        reader.fault(span, unknown("journey", written, known));
    }
}

/// Where an expectation stands in the text.
fn place(scenario: &Scenario, assertion: &Assertion) -> std::ops::Range<usize> {
    let text = &scenario.source.text;
    let at = text.find(&assertion.that.text).unwrap_or(0);
    at..at + assertion.that.text.len()
}
