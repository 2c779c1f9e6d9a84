//! Memory of processes, from arms that have the same components in different numbers of processes: what every process holds, and
//! what each component adds to its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Run;
use record::Proc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The component that only services have: where a process has no other, the monolith has no counterpart of it.
const REGISTRY: &str = "registry";

/// What processes hold at most while they serve, as proportional set size: of a page that several share each has its part, so that
/// pages of the program count once for all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryUse {
    /// A process without what its components need, KiB.
    pub process_kib: f64,
    /// What each component needs, gateway and registry included, KiB.
    pub components_kib: BTreeMap<String, f64>,
}

impl MemoryUse {
    /// A process with some components, KiB.
    pub fn of_process<'n>(&self, components: impl IntoIterator<Item = &'n String>) -> f64 {
        let known = components.into_iter().filter_map(|name| self.components_kib.get(name));
        self.process_kib + known.sum::<f64>()
    }
}

/// Arms of a run, by letter, that have nothing but the operations of their components.
#[derive(Debug)]
pub(super) struct Arms<'r> {
    /// The run.
    pub run: &'r Run,
    /// Those in which every component has processes of its own.
    pub apart: Vec<char>,
    /// The others.
    pub together: Vec<char>,
}

/// What processes of the runs held; `None` where all arms have their components in as many processes.
pub(super) fn learn(runs: &[Arms<'_>]) -> Option<MemoryUse> {
    let (mut bases, mut raw) = (Vec::new(), BTreeMap::<String, Vec<f64>>::new());
    for Arms { run, apart, together } in runs {
        for own in apart.iter().map(|arm| held(run, *arm)) {
            for (components, kib) in &own {
                if let [component] = components.as_slice() {
                    raw.entry(component.clone()).or_default().push(*kib);
                }
            }
            let others = together.iter().map(|arm| held(run, *arm));
            bases.extend(
                others.filter_map(|other| base(&ServingProcesses::of(&own), &ServingProcesses::of(&other))),
            );
        }
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    if bases.is_empty() {
        return None;
    }
    let process_kib = mean(&bases).max(0.0);
    let components = raw.into_iter().map(|(name, kib)| (name, (mean(&kib) - process_kib).max(0.0)));
    Some(MemoryUse { process_kib, components_kib: components.collect() })
}

/// The processes of an arm that have a component besides the registry.
#[derive(Debug)]
struct ServingProcesses<'p> {
    count: usize,
    kib: f64,
    components: Vec<&'p String>,
}

impl<'p> ServingProcesses<'p> {
    fn of(processes: &'p [(Vec<String>, f64)]) -> Self {
        let mut served = Self { count: 0, kib: 0.0, components: Vec::new() };
        for (components, kib) in processes {
            let own: Vec<&String> = components.iter().filter(|name| *name != REGISTRY).collect();
            if !own.is_empty() {
                (served.count, served.kib) = (served.count + 1, served.kib + kib);
                served.components.extend(own);
            }
        }
        served.components.sort();
        served
    }
}

/// What a process more costs, by two arms that have the same components in different numbers of processes, KiB.
fn base(one: &ServingProcesses<'_>, other: &ServingProcesses<'_>) -> Option<f64> {
    let is_comparable = one.components == other.components && one.count != other.count;
    is_comparable.then(|| (one.kib - other.kib) / (one.count as f64 - other.count as f64))
}

/// Components of every process of an arm, and what it held at most, KiB, the mean over its rounds.
fn held(run: &Run, arm: char) -> Vec<(Vec<String>, f64)> {
    let of = |(_, samples): (&str, &[(u64, Arc<Proc>)])| {
        let (_, first) = samples.first()?;
        // Each round starts it anew.
        let mut by_round = BTreeMap::<u32, u64>::new();
        for (_, proc) in samples {
            let highest = by_round.entry(proc.pid).or_default();
            *highest = proc.pss_kib.max(*highest);
        }
        let kib = by_round.values().sum::<u64>() as f64 / by_round.len() as f64;
        (!first.is_server && kib > 0.0).then(|| (first.components.clone(), kib))
    };
    run.processes(arm).filter_map(of).collect()
}
