//! What a step acts on: the copies of an arm that its target names and its pick leaves, and the share of calls that it hits.

use contract::hash::{fnv1a64, fnv1a64_with, mix};
use fault::{CallFault, End, Match, Pattern, Target};
use policy::units::Ratio;
use scenario::Step;
use serde_json::Value;

use super::layout::{Instance, Layout};

/// Copies of an arm that a target names.
pub(super) fn instances(layout: &Layout, copies: &[Instance], target: Target) -> Vec<String> {
    let Target::Node(pattern) = target else { return Vec::new() };
    let of = |name: &str| -> Vec<String> {
        let holds = |copy: &&Instance| {
            copy.components.iter().any(|component| component == name)
                || copy.name.split('#').next() == Some(name)
                || copy.is_registry && name == "registry"
        };
        copies.iter().filter(holds).map(|copy| copy.name.clone()).collect()
    };
    match pattern {
        Pattern::Any => copies.iter().map(|copy| copy.name.clone()).collect(),
        Pattern::Component(name) => of(name.as_str()),
        Pattern::Instance(name, index) => {
            let by_process = format!("{name}#{index}");
            if copies.iter().any(|copy| copy.name == by_process) {
                return vec![by_process];
            }
            of(name.as_str()).into_iter().skip(index as usize).take(1).collect()
        }
        Pattern::Zone(zone) if layout.scale.is_some() => {
            let stands = |copy: &&Instance| copy.zone == zone.as_str();
            copies.iter().filter(stands).map(|copy| copy.name.clone()).collect()
        }
        Pattern::Zone(zone) => {
            let placement = &layout.arm.placement;
            let stands = |copy: &&Instance| {
                let (process, number) = copy.name.split_once('#').unwrap_or((&copy.name, "0"));
                placement.zone_of(process, number.parse().unwrap_or(0)) == zone.as_str()
            };
            copies.iter().filter(stands).map(|copy| copy.name.clone()).collect()
        }
    }
}

/// Those of some copies that a step picks.
pub(super) fn picked(step: &Step, mut names: Vec<String>, seed: u64) -> Vec<String> {
    if let Some(pick) = step.pick {
        // As the conductor picks: the same copies in every arm that has them.
        let id = fnv1a64(step.id.as_bytes());
        let order = |name: &String| mix(fnv1a64_with(name.as_bytes(), mix(seed ^ id)));
        let wanted = pick.of(names.len());
        names.sort_by_key(order);
        names.truncate(wanted);
    }
    names
}

/// Whether what happens to a call has a counterpart in the model.
pub(super) fn is_simulated(call: &CallFault) -> bool {
    let is_panic = matches!(call.end, Some(End::Panic(_)));
    !call.is_clear() && !is_panic && !call.duplicated && call.corruption.is_none() && call.leaked_bytes == 0
}

/// The share of calls that a choice of them hits.
///
/// # Errors
/// Where it chooses them otherwise.
pub(super) fn share_of(matching: &Match) -> Result<Ratio, String> {
    let chosen = serde_json::to_value(matching).unwrap_or_default();
    let has = |key: &str| chosen.get(key).is_some_and(|value| !value.is_null());
    if let Some(key) = ["every", "first", "route"].into_iter().find(|key| has(key)) {
        return Err(format!("the choice of calls by `{key}`"));
    }
    if chosen.get("share_of").and_then(Value::as_str).is_some_and(|of| of != "calls") {
        return Err("the choice of calls by request or user".to_owned());
    }
    match chosen.get("share") {
        Some(share) if !share.is_null() => {
            serde_json::from_value(share.clone()).map_err(|error| error.to_string())
        }
        _ => Ok(Ratio::new(1.0)),
    }
}
