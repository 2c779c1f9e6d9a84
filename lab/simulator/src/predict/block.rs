//! One pass of the load, simulated: what every request came to, and how processes and edges stood second by second.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use model::latency::ArrivalQuantile;
use policy::breaker::BreakerState;
use record::Latencies;
use scenario::Scenario;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use traffic::Schedule;

use super::layout::Layout;
use super::setting::{BuiltPlan, Setting};
use super::system::{GENERATOR, build, client_copies};
use crate::calibrate::Calibration;
use crate::model::edge::EdgeCounts;
use crate::model::report::Requests;
use crate::model::surcharge::Surcharge;
use crate::model::{ChangeWatch, CopyWork, Note, PlanError, Report, Simulation};

const SECOND_NS: u64 = 1_000_000_000;

/// How things stood at the end of a second.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// CPU used so far, ns, and whether any of them runs, by process or group of copies: `A:feed#0`, `A:feed@a`.
    pub processes: BTreeMap<String, (u64, bool)>,
    /// Calls served so far, by component and operation: `A:feed/GET /v1/feed`.
    pub served: BTreeMap<String, u64>,
    /// CPU so far of what processes did while they were not quite warm, by the same names.
    pub cooled: BTreeMap<String, Surcharge>,
    /// CPU so far of what processes did, and what neighbours on the cores added to it, by the same names.
    pub contended: BTreeMap<String, Surcharge>,
    /// Of calls served, those whose caller had given up; an operation without any is left out.
    pub wasted: BTreeMap<String, u64>,
    /// What edges have done so far, by caller and callee: `A:feed->A:photo`.
    pub edges: BTreeMap<String, (EdgeCounts, u8)>,
    /// Time so far in which threads waited for a core, ns, where all arms are on one host.
    pub stalled_ns: Option<u64>,
    /// Copies that steps have yet to add, or have removed.
    pub absent: BTreeSet<String>,
    /// What each copy did so far of the processes whose copies steps change.
    pub copies: BTreeMap<String, CopyWork>,
}

/// One pass of the load.
#[derive(Clone, Debug)]
pub struct Block {
    /// Letters of its arms.
    pub letters: Vec<char>,
    /// At the load's start, and at the end of each second; the last is after the last request.
    pub snapshots: Vec<Snapshot>,
    /// What came of it.
    pub report: Report,
    /// Where steps that change copies stood, as it happened.
    pub notes: Vec<Note>,
    /// What of the scenario is not in it.
    pub not_simulated: Vec<String>,
}

/// What is compared with a measured run: rows of the scorecard over all measured phases, or over one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Median of all journeys, from when they were due, seconds; those that failed lie above every latency, and take as long
    /// as clients wait.
    pub p50: f64,
    /// Their 99th percentile.
    pub p99: f64,
    /// CPU of the arm over the journeys that ended, seconds.
    pub cpu: f64,
}

impl Figures {
    /// Those that a figure of each name gives.
    pub fn of(figure: impl Fn(&str) -> Option<f64>) -> Option<Self> {
        let (p50, p99) = (figure("latency_p50")?, figure("latency_p99")?);
        Some(Self { p50, p99, cpu: figure("cpu_per_journey")? })
    }

    /// Names of the figures, as the scorecard has them, with their values.
    pub const fn named(self) -> [(&'static str, f64); 3] {
        [("latency_p50", self.p50), ("latency_p99", self.p99), ("cpu_per_journey", self.cpu)]
    }
}

/// Simulates arms that run at the same time. `seed` is that of service times.
///
/// # Errors
/// What of the plan cannot be simulated.
pub fn simulate(
    calibration: &Calibration,
    setting: &Setting<'_>,
    layouts: &[&Layout],
    schedule: &Schedule,
    seed: u64,
) -> Result<Block, Vec<PlanError>> {
    let passes = |_: &ChangeWatch, _: &Block, _: u64| Some(true);
    simulate_noting(calibration, setting, layouts, schedule, seed, (|| {}, passes))
}

/// Seconds that are simulated of a scenario: those of its load, and those in which clients may still wait.
pub(super) fn simulated_seconds(scenario: &Scenario) -> u64 {
    load_seconds(scenario) + scenario.load.timeout.nanos().div_ceil(SECOND_NS)
}

/// The same, and notes that a second of [`simulated_seconds`] is over, and asks whether what a step deployed passes, by what
/// has happened until then: seconds that are over. `None` while its watch goes on.
pub(super) fn simulate_noting(
    calibration: &Calibration,
    setting: &Setting<'_>,
    layouts: &[&Layout],
    schedule: &Schedule,
    seed: u64,
    (second_over, passes): (impl Fn(), impl Fn(&ChangeWatch, &Block, u64) -> Option<bool>),
) -> Result<Block, Vec<PlanError>> {
    let BuiltPlan { plan, not_simulated, .. } = build(calibration, setting, layouts, schedule);
    let mut simulation: Simulation = Simulation::new(&plan, seed)?;
    // Of ten thousand copies it has as many names as what is simulated.
    drop(plan);
    let seconds = simulated_seconds(setting.scenario);
    let mut snapshots = Vec::new();
    let groups = groups(layouts);
    let letters: Vec<char> = layouts.iter().map(|layout| layout.letter).collect();
    for second in 0..=seconds {
        simulation.run_until(second * SECOND_NS);
        if second > 0 {
            second_over();
        }
        let mut processes: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        for (name, ns, is_up) in simulation.processes() {
            let group = groups.get(name).map_or(name, String::as_str);
            if !processes.contains_key(group) {
                processes.insert(group.to_owned(), (0, false));
            }
            if let Some((sum_ns, any_is_up)) = processes.get_mut(group) {
                (*sum_ns, *any_is_up) = (*sum_ns + ns, *any_is_up || is_up);
            }
        }
        let served = simulation.served().map(|(name, count)| (name.to_owned(), count));
        let wasted = simulation.wasted().filter(|(_, count)| *count > 0);
        let wasted = wasted.map(|(name, count)| (name.to_owned(), count)).collect();
        let edges =
            simulation.edges().into_iter().map(|(name, (counts, breaker))| (name, (counts, level(breaker))));
        snapshots.push(Snapshot {
            processes,
            cooled: by_group(&groups, simulation.cooled()),
            contended: by_group(&groups, simulation.contended()),
            served: served.collect(),
            wasted,
            edges: edges.collect(),
            stalled_ns: simulation.stalled_ns(second * SECOND_NS),
            absent: simulation.absent().map(str::to_owned).collect(),
            copies: simulation.copies_work(),
        });
        let watched = simulation.watched();
        if watched.is_empty() {
            continue;
        }
        let so_far = Block {
            letters: letters.clone(),
            snapshots: snapshots.clone(),
            report: Report { requests: simulation.requests_so_far(), ..Report::default() },
            notes: simulation.notes().to_vec(),
            not_simulated: Vec::new(),
        };
        for of in &watched {
            if let Some(passes) = passes(of, &so_far, second) {
                simulation.judge(&of.change, passes);
            }
        }
    }
    Ok(Block {
        letters,
        report: simulation.report(),
        notes: simulation.notes().to_vec(),
        snapshots,
        not_simulated: not_simulated.into_iter().collect(),
    })
}

/// The group of each process that has one of another name.
fn groups(layouts: &[&Layout]) -> BTreeMap<String, String> {
    let scaled = layouts.iter().filter(|layout| layout.scale.is_some());
    scaled
        .flat_map(|layout| {
            let copies = layout.copies();
            let services =
                copies.into_iter().map(|copy| (layout.own(&copy.name), layout.own(&layout.group_of(&copy))));
            let clients = (0..client_copies(layout))
                .map(|copy| (layout.own(&format!("{GENERATOR}#{copy}")), layout.own(GENERATOR)));
            services.chain(clients).collect::<Vec<_>>()
        })
        .collect()
}

/// What was added to CPU of processes, by their groups.
fn by_group<'a>(
    groups: &BTreeMap<String, String>,
    all: impl Iterator<Item = (&'a str, Surcharge)>,
) -> BTreeMap<String, Surcharge> {
    let mut sums: BTreeMap<String, Surcharge> = BTreeMap::new();
    for (name, of) in all.filter(|(_, of)| of.base_ns > 0) {
        let group = groups.get(name).map_or(name, String::as_str);
        sums.entry(group.to_owned()).or_default().add(of);
    }
    sums
}

/// Whether a process is one of an arm's own, which the load generator is not.
fn is_of(process: &str, letter: char) -> bool {
    let name = process.strip_prefix(letter).and_then(|name| name.strip_prefix(':'));
    name.is_some_and(|name| name != GENERATOR)
}

/// As records number the states of breakers.
const fn level(breaker: BreakerState) -> u8 {
    match breaker {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open => 2,
    }
}

/// Seconds of a scenario's load.
pub fn load_seconds(scenario: &Scenario) -> u64 {
    scenario.length_ns().div_ceil(SECOND_NS)
}

/// Requests that ended in a second; what ends after the load, of so many seconds, counts for its last one.
pub(super) fn finished(requests: &Requests, second: u64, seconds: u64) -> u64 {
    let ended =
        |second: u64| requests.windows.get(second as usize).map_or(0, |window| window.done + window.failed);
    if second + 1 < seconds {
        ended(second)
    } else {
        (second..requests.windows.len() as u64).map(ended).sum()
    }
}

/// Seconds from the begin of the first measured phase to the end of the last.
fn measured_seconds(scenario: &Scenario) -> Range<u64> {
    let measured: Vec<_> = scenario.plan().into_iter().filter(|phase| phase.measure).collect();
    let start = measured.first().map_or(0, |phase| phase.start_ns / SECOND_NS);
    let end = measured.last().map_or(0, |phase| (phase.start_ns + phase.length_ns).div_ceil(SECOND_NS));
    start..end
}

impl Block {
    /// CPU of an arm's processes so far at the end of a second, ns.
    pub fn cpu_ns(&self, letter: char, second: u64) -> f64 {
        let Some(snapshot) = self.at(second) else { return 0.0 };
        let own = snapshot.processes.iter().filter(|(name, _)| is_of(name, letter));
        own.map(|(_, (ns, _))| *ns as f64).sum()
    }

    /// CPU of a process so far at the end of a second, ns.
    pub fn process_ns(&self, name: &str, second: u64) -> u64 {
        self.at(second).and_then(|snapshot| snapshot.processes.get(name)).map_or(0, |(ns, _)| *ns)
    }

    /// By how many times CPU of a process, or of a group of copies, is what it takes in a warm one, and by how many what it takes
    /// without neighbours on the cores, from the end of one second to that of another.
    pub fn dearer(&self, process: &str, seconds: &Range<u64>) -> (f64, f64) {
        let factor = |of: fn(&Snapshot) -> &BTreeMap<String, Surcharge>| {
            let sum = |second: u64| {
                self.at(second).and_then(|snapshot| of(snapshot).get(process)).copied().unwrap_or_default()
            };
            sum(seconds.end).since(sum(seconds.start)).factor()
        };
        (factor(|snapshot| &snapshot.cooled), factor(|snapshot| &snapshot.contended))
    }

    /// By how many times CPU of an arm's processes is what it is without neighbours on the cores, over some blocks, from the end
    /// of one second to that of another.
    pub fn slowed(blocks: &[Self], letter: char, seconds: &Range<u64>) -> f64 {
        let mut sum = Surcharge::default();
        for block in blocks.iter().filter(|block| block.letters.contains(&letter)) {
            let before = |name: &str| block.at(seconds.start)?.contended.get(name).copied();
            let all = block.at(seconds.end).into_iter().flat_map(|end| &end.contended);
            for (name, end) in all.filter(|(name, _)| is_of(name, letter)) {
                sum.add(end.since(before(name).unwrap_or_default()));
            }
        }
        sum.factor()
    }

    /// Calls that were served from the end of one second to that of another, by component and operation.
    pub fn served_within(&self, seconds: &Range<u64>) -> BTreeMap<&str, u64> {
        let before = |name: &str| self.at(seconds.start)?.served.get(name).copied();
        let all = self.at(seconds.end).into_iter().flat_map(|end| &end.served);
        all.map(|(name, count)| (name.as_str(), count - before(name).unwrap_or(0))).collect()
    }

    /// How things stood at the end of a second, or of the last.
    fn at(&self, second: u64) -> Option<&Snapshot> {
        self.snapshots.get((second as usize).min(self.snapshots.len().saturating_sub(1)))
    }

    /// The figures of an arm over some blocks of it, of a scenario; `None` where nothing was due.
    pub fn figures<'a>(
        blocks: impl IntoIterator<Item = &'a Self>,
        letter: char,
        scenario: &Scenario,
    ) -> Option<Figures> {
        Self::figures_within(blocks, letter, scenario, measured_seconds(scenario))
    }

    /// The same over some seconds of the load.
    pub fn figures_within<'a>(
        blocks: impl IntoIterator<Item = &'a Self>,
        letter: char,
        scenario: &Scenario,
        seconds: Range<u64>,
    ) -> Option<Figures> {
        let all_seconds = load_seconds(scenario);
        let (from, count) = (seconds.start as usize, (seconds.end - seconds.start) as usize);
        let (mut answered, mut cpu_ns, mut sent, mut ended) = (Latencies::default(), 0.0, 0_u64, 0_u64);
        for block in blocks.into_iter().filter(|block| block.letters.contains(&letter)) {
            cpu_ns += block.cpu_ns(letter, seconds.end) - block.cpu_ns(letter, seconds.start);
            for (_, requests) in block.requests(letter) {
                sent += requests.windows.iter().skip(from).take(count).map(|window| window.sent).sum::<u64>();
                ended += seconds.clone().map(|second| finished(requests, second, all_seconds)).sum::<u64>();
                for window in requests.due.iter().skip(from).take(count) {
                    answered.merge(&window.answered);
                }
            }
        }
        // What had not ended when the simulation did has failed as well.
        let failed = sent.saturating_sub(answered.len());
        let bound_us = scenario.load.timeout.nanos() / 1_000;
        let quantile = |q| Some(ArrivalQuantile::of(&answered, failed, q, bound_us)?.seconds());
        let cpu = if ended > 0 { cpu_ns / 1e9 / ended as f64 } else { 0.0 };
        Some(Figures { p50: quantile(0.5)?, p99: quantile(0.99)?, cpu })
    }

    /// The requests of an arm, by journey.
    pub fn requests(&self, letter: char) -> impl Iterator<Item = (&str, &Requests)> {
        let prefix = format!("{letter}:users/");
        let requests = self.report.requests.iter();
        requests.filter_map(move |(name, requests)| Some((name.strip_prefix(&prefix)?, requests)))
    }
}
