//! What a run would do, for programs.

use serde_json::{Value, json};

use super::{PlannedArm, differences, duration_s, letter, needs, sizing};
use crate::prices::Prices;
use crate::scenario::{Arm, Assertion, RunMode, Scenario};

/// The scenario as one JSON object. `reach` returns the target of a step in an arm, both by index.
pub fn document(
    scenario: &Scenario,
    arms: &[PlannedArm<'_>],
    reach: impl Fn(usize, usize) -> String,
) -> Value {
    let steps = scenario.steps.iter().enumerate().map(|(index, step)| {
        let targets = arms
            .iter()
            .enumerate()
            .map(|(number, planned)| (planned.arm.name.clone(), Value::from(reach(index, number))));
        json!({
            "number": step.number,
            "id": step.id,
            "start_s": step.start_ns as f64 / 1e9,
            "length_s": step.length_ns as f64 / 1e9,
            "text": format!("{} {}", step.on, step.action),
            "targets": targets.collect::<serde_json::Map<String, Value>>(),
        })
    });
    let phases = scenario.phases.iter().map(|phase| {
        json!({
            "name": phase.name,
            "length_s": phase.length.duration().as_secs_f64(),
            "measure": phase.measure,
        })
    });
    let further = scenario.further_rates().into_iter().map(|further| {
        json!({
            "name": further.phase.name,
            "length_s": further.phase.length_ns as f64 / 1e9,
            "rate": further.rate.get(),
        })
    });
    let weights = scenario.load.weights();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mix = weights.iter().filter(|(_, weight)| *weight > 0.0);
    let mix = mix.map(|(journey, weight)| (journey.name().to_owned(), Value::from(weight / total)));
    json!({
        "scenario": scenario.name,
        "title": scenario.title,
        "why": scenario.why,
        "seed": scenario.seed,
        "change": scenario.change.as_ref().map(|change| json!({
            "files": change.files().collect::<Vec<_>>(),
            "builds": change.builds,
            "path": change.probe.path,
            "shows": change.probe.shows,
        })),
        "arms": arms.iter().enumerate().map(|(index, arm)| planned(index, arm, &arms[0])).collect::<Vec<_>>(),
        "opt_in_arms": scenario.opt_in_arms().map(|arm| opt_in(arm, &arms[0])).collect::<Vec<_>>(),
        "scale": sizing::document(scenario),
        "assumed_prices": scenario.prices.as_ref().map(Prices::record),
        "sweep": sizing::sweep_document(scenario),
        "phases": phases.collect::<Vec<_>>(),
        "further_rates": further.collect::<Vec<_>>(),
        "mix": mix.collect::<serde_json::Map<String, Value>>(),
        "peak_rate": scenario.load.peak_rate(),
        "steps": steps.collect::<Vec<_>>(),
        "valid": assertions(scenario, &scenario.valid, true),
        "check": assertions(scenario, &scenario.check, false),
        "way": match scenario.way {
            RunMode::SideBySide => "side by side",
            RunMode::Interleaved => "interleaved",
        },
        "rounds": scenario.repeats,
        "seconds": duration_s(scenario, arms.len()).round(),
    })
}

fn planned(index: usize, planned: &PlannedArm<'_>, base: &PlannedArm<'_>) -> Value {
    let PlannedArm { arm, processes, remote_edges, resources } = planned;
    json!({
        "letter": letter(index),
        "name": arm.name,
        "topology": arm.topology,
        "variant": arm.variant,
        "processes": processes,
        "events": arm.placement.events,
        "remote_edges": remote_edges,
        "resources": resources,
        "network": arm.network,
        "differs_from_first": differences_from(base.arm, arm),
    })
}

/// An arm that is run only where `--arms` names it.
fn opt_in(arm: &Arm, base: &PlannedArm<'_>) -> Value {
    json!({
        "name": arm.name,
        "topology": arm.topology,
        "variant": arm.variant,
        "differs_from_first": differences_from(base.arm, arm),
    })
}

fn differences_from(base: &Arm, arm: &Arm) -> serde_json::Map<String, Value> {
    let differences = differences::between(base, arm).into_iter();
    let pair = |difference: differences::Difference| {
        (difference.key, json!({ "base": difference.base, "here": difference.other }))
    };
    differences.map(pair).collect()
}

fn assertions(scenario: &Scenario, assertions: &[Assertion], are_premises: bool) -> Vec<Value> {
    let document = |assertion: &Assertion| {
        let needs = needs::of(scenario, &assertion.that, are_premises);
        let is_met: Vec<Option<bool>> = needs.iter().map(needs::Needs::are_met).collect();
        json!({
            "text": assertion.that.text,
            "why": assertion.why,
            "line": assertion.line,
            "needs": needs.iter().map(|needs| json!({
                "samples": needs.samples,
                "planned": needs.planned,
                "seconds": needs.seconds,
                "window_s": needs.window_s,
                "sentences": needs.sentences,
            })).collect::<Vec<_>>(),
            "can_be_judged": match is_met {
                met if met.contains(&Some(false)) => Value::from(false),
                met if met.contains(&None) => Value::Null,
                _ => Value::from(true),
            },
        })
    };
    assertions.iter().map(document).collect()
}
