//! What is only simulated: the size of each arm and what is assumed of it, and the keys that vary.

use policy::NetworkOptions;
use serde_json::{Value, json};

use super::{PlannedArm, letter};
use crate::scale::SystemScale;
use crate::scenario::Scenario;
use crate::sweep::{Sweep, SweepAxis};

/// How far the ends of a link are from each other, the nearest first.
const DISTANCES: [&str; 4] =
    ["on one host", "between hosts of a zone", "between zones of a region", "between regions"];

/// Sentences on the size, none where the scenario has none.
pub(super) fn lines(scenario: &Scenario, arms: &[PlannedArm<'_>]) -> Vec<String> {
    let Some(scale) = &scenario.scale else { return Vec::new() };
    let mut lines = vec![
        String::new(),
        format!(
            "simulated only, at a size of its own; cleave predict {} simulates it:",
            scenario.as_argument()
        ),
    ];
    for (index, planned) in arms.iter().enumerate() {
        let copies = copies(planned);
        let hosts = scale.hosts.unwrap_or(copies);
        let cores = scale.cores;
        lines.push(format!(
            "  {} {}: {copies} instances on {hosts} hosts of {cores} core{}",
            letter(index),
            planned.arm.name,
            if cores == 1 { "" } else { "s" },
        ));
    }
    if !scale.zones.is_empty() {
        lines.push(format!(
            "  hosts stand in the zones {} in turn{}",
            scale.zones.join(", "),
            regions(scale)
        ));
    }
    let declared = arms.first().map(|planned| planned.arm.network).unwrap_or_default();
    lines.push("  networks, assumed and not measured:".to_owned());
    for (distance, link) in DISTANCES.into_iter().zip(scale.links.by_distance(declared)) {
        lines.push(format!("    {distance}: {link}"));
    }
    lines.push("  each copy keeps a part of the data; users and their machines are outside".to_owned());
    lines
}

fn copies(planned: &PlannedArm<'_>) -> u32 {
    planned.processes.iter().map(|process| process.replicas).sum()
}

fn regions(scale: &SystemScale) -> String {
    let region = |(name, zones): (&String, &Vec<String>)| format!("{name}: {}", zones.join(", "));
    let regions: Vec<String> = scale.regions.iter().map(region).collect();
    if regions.is_empty() { String::new() } else { format!("; regions: {}", regions.join("; ")) }
}

/// Sentences on what a month is priced with, none where nothing is.
pub(super) fn price_lines(scenario: &Scenario) -> Vec<String> {
    let Some(prices) = &scenario.prices else { return Vec::new() };
    let prices = prices.record().to_string();
    let mut lines = vec![String::new(), "prices, assumed and not measured:".to_owned()];
    lines.extend(prices.split("; ").map(|part| format!("  {part}")));
    lines
}

/// Sentences on the keys that vary, none where none does.
pub(super) fn sweep_lines(scenario: &Scenario) -> Vec<String> {
    let Some(Sweep { holds, replications, axes }) = &scenario.sweep else { return Vec::new() };
    let combinations: usize = axes.iter().map(|axis| axis.values.len()).product();
    let mut lines = vec![
        String::new(),
        format!(
            "simulated only, {replications} times for each of {combinations} combinations of values; counted is how often",
        ),
        format!("  {}", holds.text),
    ];
    for axis in axes {
        let values: Vec<String> = axis.values.iter().map(ToString::to_string).collect();
        lines.push(format!("  {} (`{}`): {}", axis.name, axis.key, values.join(", ")));
    }
    lines
}

/// The keys that vary, for programs; null where none does.
pub(super) fn sweep_document(scenario: &Scenario) -> Value {
    let Some(Sweep { holds, replications, axes }) = &scenario.sweep else { return Value::Null };
    let axis = |axis: &SweepAxis| {
        let values: Vec<String> = axis.values.iter().map(ToString::to_string).collect();
        json!({ "name": axis.name, "key": axis.key, "values": values })
    };
    json!({
        "holds": holds.text,
        "replications": replications,
        "axes": axes.iter().map(axis).collect::<Vec<_>>(),
    })
}

/// The size, for programs; null where the scenario has none.
pub(super) fn document(scenario: &Scenario) -> Value {
    let Some(scale) = &scenario.scale else { return Value::Null };
    let declared = scenario.arms.first().map(|arm| arm.network).unwrap_or_default();
    let links = ["processes", "hosts", "zones", "regions"].into_iter().zip(scale.links.by_distance(declared));
    let link = |(name, link): (&str, NetworkOptions)| (name.to_owned(), json!(link));
    json!({
        "hosts": scale.hosts,
        "cores": scale.cores,
        "zones": scale.zones,
        "regions": scale.regions,
        "assumed_links": links.map(link).collect::<serde_json::Map<String, Value>>(),
    })
}
