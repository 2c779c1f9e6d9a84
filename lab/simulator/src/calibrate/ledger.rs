//! What an arm spent in its measured phases, by component, and how often each operation was done: CPU is what the kernel and
//! the processes account, never a length of spans, which has waiting in it.

use std::collections::BTreeMap;

use model::{Run, TimeRange, Window};
use record::{CLIENT, Proc};

use super::document::{Operation, What};

/// Processes that belong to the lab.
const LAB: char = '-';
/// The load generator's process.
const GENERATOR: &str = "generator";
/// The program's own.
const CONDUCTOR: &str = "cleave";

/// CPU of a component, ns, over the measured phases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    /// Its own code.
    pub business: f64,
    /// Statements.
    pub database: f64,
    /// Watching, the exporter's thread included.
    pub telemetry: f64,
    /// Workers outside of tasks: waking up and going to sleep.
    pub waking: f64,
    /// All of its process.
    pub total: f64,
    /// Of it, workers.
    pub workers: f64,
    /// Calls served.
    pub served: f64,
    /// Calls made.
    pub called: f64,
}

/// What an arm spent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ledger {
    /// By component.
    pub components: BTreeMap<String, Spent>,
    /// How often each operation was done.
    pub counts: BTreeMap<String, f64>,
    /// CPU of a request in the load generator, ns.
    pub generator_ns: f64,
    /// CPU of a process at rest, ns a second.
    pub idle_ns_per_s: f64,
    /// CPU of the lab while the arm had its load, ns a second.
    pub lab_ns_per_s: f64,
    /// Seconds of load.
    pub seconds: f64,
}

impl Ledger {
    /// That of an arm in which every process holds one component; `operations` are what the traces show.
    pub fn of(run: &Run, arm: &record::Arm, operations: &BTreeMap<String, Operation>) -> Self {
        let range = run.whole(&Window::Whole);
        let of = |figure: &dyn Fn(&Proc) -> u64| by_component(run, arm, &range, figure);
        let part = |name: &'static str| move |proc: &Proc| proc.parts.get(name).copied().unwrap_or(0);
        let tasks = of(&|proc| proc.parts.values().sum());
        let (business, database) = (of(&part("business")), of(&part("database")));
        let watching = of(&part("telemetry"));
        let exporter = of(&|proc| proc.cpu_telemetry_ns);
        let (total, workers) = (of(&|proc| proc.cpu_ns), of(&|proc| proc.cpu_workers_ns));
        let counts = counts(run, arm.letter, &range, operations);
        let mut components: BTreeMap<String, Spent> = BTreeMap::new();
        for (component, total) in &total {
            let ns = |figures: &BTreeMap<String, f64>| figures.get(component).copied().unwrap_or(0.0);
            let spent = Spent {
                business: ns(&business),
                database: ns(&database),
                telemetry: ns(&watching) + ns(&exporter),
                waking: (ns(&workers) - ns(&tasks)).max(0.0),
                total: *total,
                workers: ns(&workers),
                ..Spent::default()
            };
            components.insert(component.clone(), spent);
        }
        let mut requests = 0.0;
        for (name, count) in &counts {
            let (component, _) = name.split_once('/').unwrap_or((name.as_str(), ""));
            if component == CLIENT {
                requests += count * calls_of(&operations[name]).map(|(_, share)| share).sum::<f64>();
                continue;
            }
            let spent = components.entry(component.to_owned()).or_default();
            spent.served += count;
            let calls = operations
                .get(name)
                .map_or(0.0, |operation| calls_of(operation).map(|(_, share)| share).sum::<f64>());
            spent.called += count * calls;
        }
        let lab = run.grown_by_instance(LAB, arm.letter, &range, |proc| proc.cpu_ns);
        let of_lab = |instance: &str| lab.get(instance).copied().unwrap_or(0) as f64;
        let generator = of_lab(GENERATOR);
        let seconds = run.run_time(arm.letter, &range).iter().map(|time| time.end - time.start).sum::<u64>()
            as f64
            / 1e9;
        // Side by side one generator serves all arms alike.
        let shared = if run.header.way == "interleaved" { 1 } else { run.header.arms.len().max(1) };
        let rounds = 1..=run.header.rounds.max(1);
        let idle: Vec<f64> = rounds.filter_map(|round| run.idle_ns_per_s(arm.letter, round)).collect();
        let processes = arm.instances.len().max(1) as f64;
        Self {
            generator_ns: if requests > 0.0 { generator / shared as f64 / requests } else { 0.0 },
            idle_ns_per_s: idle.iter().sum::<f64>() / idle.len().max(1) as f64 / processes,
            lab_ns_per_s: if seconds > 0.0 { of_lab(CONDUCTOR) / seconds } else { 0.0 },
            seconds,
            components,
            counts,
        }
    }
}

/// A figure of the processes of an arm, added up by component.
fn by_component(
    run: &Run,
    arm: &record::Arm,
    range: &TimeRange,
    figure: &dyn Fn(&Proc) -> u64,
) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (instance, ns) in run.grown_by_instance(arm.letter, arm.letter, range, figure) {
        let known = arm.instances.iter().find(|known| known.name == instance);
        if let Some(component) = known.and_then(|known| known.hosts.first()) {
            *sums.entry(component.clone()).or_default() += ns as f64;
        }
    }
    sums
}

/// How often each operation was done: journeys are counted, and what they come to is known from their traces.
fn counts(
    run: &Run,
    arm: char,
    range: &TimeRange,
    operations: &BTreeMap<String, Operation>,
) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for journey in &run.header.journeys {
        let sent = run.sum(arm, range, &journey.name, |window| window.sent) as f64;
        add(&format!("{CLIENT}/{}", journey.name), sent, operations, &mut counts, 0);
    }
    counts
}

/// Longest chain of calls.
const MAX_DEPTH: usize = 16;

fn add(
    name: &str,
    count: f64,
    operations: &BTreeMap<String, Operation>,
    counts: &mut BTreeMap<String, f64>,
    depth: usize,
) {
    let Some(operation) = operations.get(name).filter(|_| count > 0.0 && depth < MAX_DEPTH) else { return };
    *counts.entry(name.to_owned()).or_default() += count;
    for (called, share) in calls_of(operation) {
        add(called, count * share, operations, counts, depth + 1);
    }
}

/// The calls of an operation, with how often each is made.
pub(crate) fn calls_of(operation: &Operation) -> impl Iterator<Item = (&str, f64)> {
    let activities = operation.stages.iter().flat_map(|stage| stage.lanes.iter().flatten());
    activities.filter_map(|activity| match &activity.what {
        What::Call(name) => Some((name.as_str(), activity.share)),
        What::Read(_) | What::Write(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::document::{Activity, Stage};
    use super::*;

    #[test]
    fn calls_are_counted_down_the_tree() {
        let calls = |names: &[(&str, f64)]| Operation {
            stages: vec![Stage {
                lanes: names
                    .iter()
                    .map(|(name, share)| {
                        vec![Activity { share: *share, what: What::Call((*name).to_owned()) }]
                    })
                    .collect(),
            }],
            ..Operation::default()
        };
        let operations = BTreeMap::from([
            ("client/home".to_owned(), calls(&[("gateway/get", 1.0), ("gateway/get", 1.0)])),
            ("gateway/get".to_owned(), calls(&[("feed/get", 0.5)])),
            ("feed/get".to_owned(), calls(&[])),
        ]);
        let mut counts = BTreeMap::new();
        add("client/home", 10.0, &operations, &mut counts, 0);
        assert_eq!((counts["client/home"], counts["gateway/get"], counts["feed/get"]), (10.0, 20.0, 10.0));
    }
}
