//! One go of the load, simulated: what every request came to, and how processes and edges stood second by second.

use std::collections::BTreeMap;
use std::ops::Range;

use policy::breaker::BreakerState;
use record::Latencies;
use scenario::Scenario;
use traffic::Schedule;

use super::layout::Layout;
use super::setting::Setting;
use super::system::build;
use crate::calibrate::Calibration;
use crate::model::edge::{EdgeCounts, Outcome};
use crate::model::{PlanError, Report, Simulation};

const SECOND_NS: u64 = 1_000_000_000;

/// How things stood at the end of a second.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// CPU used so far, ns, and whether it runs, by process: `A:feed#0`.
    pub processes: BTreeMap<String, (u64, bool)>,
    /// Calls served so far, by component and operation: `A:feed/GET /v1/feed`.
    pub served: BTreeMap<String, u64>,
    /// What edges have done so far, by caller and callee: `A:feed->A:photo`.
    pub edges: BTreeMap<String, (EdgeCounts, u8)>,
}

/// One go of the load.
#[derive(Clone, Debug)]
pub struct Block {
    /// Letters of its arms.
    pub letters: Vec<char>,
    /// At the load's start, and at the end of each second; the last is after the last request.
    pub snapshots: Vec<Snapshot>,
    /// What came of it.
    pub report: Report,
    /// What of the scenario is not in it.
    pub not_simulated: Vec<String>,
}

/// What is compared with a measured run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Median of all journeys, from when they were due, seconds.
    pub p50: f64,
    /// Their 99th percentile.
    pub p99: f64,
    /// CPU of the arm over the journeys sent, seconds.
    pub cpu: f64,
}

impl Figures {
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
    let built = build(calibration, setting, layouts, schedule);
    let mut simulation: Simulation = Simulation::new(&built.plan, seed)?;
    let seconds = load_seconds(setting.scenario) + setting.scenario.load.timeout.nanos().div_ceil(SECOND_NS);
    let mut snapshots = Vec::new();
    for second in 0..=seconds {
        simulation.run_until(second * SECOND_NS);
        let processes = simulation.processes().map(|(name, ns, is_up)| (name.to_owned(), (ns, is_up)));
        let served = simulation.served().map(|(name, count)| (name.to_owned(), count));
        let edges =
            simulation.edges().into_iter().map(|(name, (counts, breaker))| (name, (counts, level(breaker))));
        snapshots.push(Snapshot {
            processes: processes.collect(),
            served: served.collect(),
            edges: edges.collect(),
        });
    }
    Ok(Block {
        letters: layouts.iter().map(|layout| layout.letter).collect(),
        report: simulation.report(),
        snapshots,
        not_simulated: built.not_simulated.into_iter().collect(),
    })
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

/// Seconds from the begin of the first measured phase to the end of the last.
pub fn measured_seconds(scenario: &Scenario) -> Range<u64> {
    let measured: Vec<_> = scenario.plan().into_iter().filter(|phase| phase.measure).collect();
    let start = measured.first().map_or(0, |phase| phase.start_ns / SECOND_NS);
    let end = measured.last().map_or(0, |phase| (phase.start_ns + phase.length_ns).div_ceil(SECOND_NS));
    start..end
}

impl Block {
    /// CPU of an arm's processes so far at the end of a second, ns.
    pub fn cpu_ns(&self, letter: char, second: u64) -> f64 {
        let prefix = format!("{letter}:");
        let generator = format!("{letter}:generator");
        let last = self.snapshots.len().saturating_sub(1);
        let Some(snapshot) = self.snapshots.get((second as usize).min(last)) else { return 0.0 };
        let own = snapshot.processes.iter();
        let own = own.filter(|(name, _)| name.starts_with(&prefix) && **name != generator);
        own.map(|(_, (ns, _))| *ns as f64).sum()
    }

    /// CPU of a process so far at the end of a second, ns.
    pub fn process_ns(&self, name: &str, second: u64) -> u64 {
        let last = self.snapshots.len().saturating_sub(1);
        let snapshot = self.snapshots.get((second as usize).min(last));
        snapshot.and_then(|snapshot| snapshot.processes.get(name)).map_or(0, |(ns, _)| *ns)
    }

    /// The figures of an arm over some blocks of it.
    pub fn figures<'a>(
        blocks: impl IntoIterator<Item = &'a Self>,
        letter: char,
        seconds: &Range<u64>,
    ) -> Option<Figures> {
        let (mut latencies, mut cpu_ns, mut sent) = (Vec::new(), 0.0, 0_u64);
        let due = seconds.start * SECOND_NS..seconds.end * SECOND_NS;
        for block in blocks.into_iter().filter(|block| block.letters.contains(&letter)) {
            cpu_ns += block.cpu_ns(letter, seconds.end) - block.cpu_ns(letter, seconds.start);
            for requests in block.requests(letter).map(|(_, requests)| requests) {
                let window = seconds.start as usize..seconds.end as usize;
                let windows = requests.windows.iter().enumerate();
                sent +=
                    windows.filter(|(at, _)| window.contains(at)).map(|(_, window)| window.sent).sum::<u64>();
                let answered = requests.log.iter();
                let answered =
                    answered.filter(|ended| ended.outcome == Outcome::Done && due.contains(&ended.due_ns));
                latencies.extend(answered.map(|ended| (ended.end_ns - ended.due_ns + 500) / 1_000));
            }
        }
        let latencies: Latencies = latencies.into_iter().collect();
        let quantile = |q| Some(latencies.quantile(q)? as f64 / 1e6);
        let cpu = if sent > 0 { cpu_ns / 1e9 / sent as f64 } else { 0.0 };
        Some(Figures { p50: quantile(0.5)?, p99: quantile(0.99)?, cpu })
    }

    /// The requests of an arm, by journey.
    pub fn requests(&self, letter: char) -> impl Iterator<Item = (&str, &crate::model::report::Requests)> {
        let prefix = format!("{letter}:users/");
        let requests = self.report.requests.iter();
        requests.filter_map(move |(name, requests)| Some((name.strip_prefix(&prefix)?, requests)))
    }
}
