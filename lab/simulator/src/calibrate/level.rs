//! What a calibration knows of its own runs: what was spent at each of their rates, and how far a simulation of them is off.

use std::collections::BTreeMap;

use model::{Run, TimeRange, Window};
use record::{OperationCost, Proc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::CpuParts;
use crate::predict::Figures;

/// A measured phase of a run, in an arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The run's id.
    pub run_id: String,
    /// The arm's name.
    pub arm: String,
    /// The phase's name.
    pub phase: String,
    /// Whether the arm was learnt from; the others were held out, but for `local_ns`.
    pub is_fitted: bool,
    /// Journeys that were offered a second.
    pub rate: f64,
    /// Seconds of load, all rounds together.
    pub seconds: f64,
    /// What its processes did, by their names.
    pub processes: BTreeMap<String, ProcessLevel>,
    /// What each operation took, handlers of events included.
    pub operations: BTreeMap<String, OperationCost>,
    /// As measured.
    pub measured: Figures,
    /// As simulated.
    pub simulated: Figures,
    /// What the measured CPU of a journey was for.
    #[serde(default)]
    pub measured_cpu: CpuParts,
    /// The same of the simulated CPU.
    #[serde(default)]
    pub simulated_cpu: CpuParts,
}

/// Which level one is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LevelName {
    run_id: String,
    arm: String,
    phase: String,
}

impl LevelName {
    /// That of a phase of an arm of a run.
    pub fn new(run_id: &str, arm: &str, phase: &str) -> Self {
        Self { run_id: run_id.to_owned(), arm: arm.to_owned(), phase: phase.to_owned() }
    }
}

/// A process in a measured phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessLevel {
    /// CPU, ns: user and system.
    pub cpu_ns: u64,
    /// Of it, threads that do the work of tasks.
    pub workers_ns: u64,
    /// Of that, tasks; the rest is waking up and going to sleep.
    pub tasks_ns: u64,
    /// Of all, threads of the exporter of telemetry.
    pub exporter_ns: u64,
    /// Context switches, voluntary and not.
    pub switches: u64,
    /// Requests on the wire: served as the door, and sent to other processes.
    pub requests: u64,
    /// Spans that ended.
    pub spans: u64,
}

impl Level {
    /// The measured phases of an arm, without figures.
    pub(super) fn of(run: &Run, arm: &record::Arm, is_fitted: bool) -> Vec<Self> {
        let phases = run.header.phases.iter().filter(|phase| phase.measure);
        phases.map(|phase| Self::of_phase(run, arm, &phase.name, is_fitted)).collect()
    }

    fn of_phase(run: &Run, arm: &record::Arm, phase: &str, is_fitted: bool) -> Self {
        let range = run.whole(&Window::Phase(phase.to_owned()));
        let load = run.run_time(arm.letter, &range);
        let seconds = load.iter().map(|time| time.end - time.start).sum::<u64>() as f64 / 1e9;
        let offered = run.sum(arm.letter, &range, "all", |window| window.offered) as f64;
        Self {
            processes: processes(run, arm.letter, &range),
            run_id: run.header.run_id.clone(),
            arm: arm.name.clone(),
            phase: phase.to_owned(),
            is_fitted,
            rate: if seconds > 0.0 { offered / seconds } else { 0.0 },
            seconds,
            operations: run.operations(arm.letter, &range),
            ..Self::default()
        }
    }

    /// Which level it is.
    pub(super) fn name(&self) -> LevelName {
        LevelName::new(&self.run_id, &self.arm, &self.phase)
    }

    /// How far the simulated CPU of a journey is off, as a share of the measured one: above 0 where it is more.
    pub fn cpu_error(&self) -> f64 {
        if self.measured.cpu > 0.0 { self.simulated.cpu / self.measured.cpu - 1.0 } else { 0.0 }
    }
}

/// What the processes of an arm did in a range, by their names.
fn processes(run: &Run, arm: char, range: &TimeRange) -> BTreeMap<String, ProcessLevel> {
    let kernel = |figure: fn(&Proc) -> u64| run.grown_by_instance(arm, arm, range, figure);
    let own = |figure: fn(&Proc) -> u64| run.reported_by_instance(arm, range, figure);
    let (workers, exporter) = (kernel(|proc| proc.cpu_workers_ns), kernel(|proc| proc.cpu_telemetry_ns));
    let (switches, spans) = (kernel(|proc| proc.switches), kernel(|proc| proc.spans[0]));
    let (tasks, requests) = (own(|proc| proc.parts.values().sum()), own(|proc| proc.requests));
    let process = |(instance, cpu_ns): (String, u64)| {
        let of = |figures: &BTreeMap<String, u64>| figures.get(&instance).copied().unwrap_or(0);
        let level = ProcessLevel {
            cpu_ns,
            workers_ns: of(&workers),
            tasks_ns: of(&tasks),
            exporter_ns: of(&exporter),
            switches: of(&switches),
            requests: of(&requests),
            spans: of(&spans),
        };
        (instance, level)
    };
    kernel(|proc| proc.cpu_ns).into_iter().map(process).collect()
}

/// A figure of a calibration run, measured and simulated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FitError {
    /// The run's id.
    pub run_id: String,
    /// The arm's name.
    pub arm: String,
    /// Whether the arm was learnt from; the others were held out, but for `local_ns`.
    pub is_fitted: bool,
    /// The row of the scorecard that it is, over all measured phases: `latency_p50`, `latency_p99` or `cpu_per_journey`.
    pub measure: String,
    /// As measured, seconds.
    pub measured: f64,
    /// As simulated, seconds.
    pub simulated: f64,
}

impl FitError {
    /// How far the simulation is off, as a share of what was measured: above 0 where it is more.
    pub fn relative(&self) -> f64 {
        if self.measured > 0.0 { self.simulated / self.measured - 1.0 } else { 0.0 }
    }
}
