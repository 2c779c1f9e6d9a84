//! A run, from its options to its verdict.
//!
//! - [`Run`]: prepared, then run to its verdict. Start here.
//! - `stage`: its course, from the first process to the last line. `plan`: what is settled before.
//! - [`seed`]: the data a run begins with. [`generator`]: the load generator as a child.
//! - `phases`: when phases begin, and what each cost. `stop`: what ends a run early.
//! - `finish`: checks, scores, verdict.
//! - [`up`]: a suite that stays up, for trying things out.

mod finish;
pub mod generator;
mod phases;
pub(crate) mod plan;
pub mod seed;
mod stage;
mod stop;
pub mod up;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::ProcessPlan;
use record::{EventKind, Verdict};
use runtime::{Tasks, clock};
use scenario::{Scenario, TelemetryLevel};
use telemetry::Level;
use tokio::sync::watch;

use crate::arm::RunEnvironment;
use crate::arm::children::Spawner;
use crate::arm::instance::ArmError;
use crate::observe::collector::Collector;
use crate::observe::metrics_endpoint;
use crate::observe::record_writer::RecordWriter;
use crate::observe::scrape_targets::ScrapeTargets;
use crate::process::control::ControlClient;
use crate::process::guardian::Guardian;
use crate::run::generator::GeneratorError;
use crate::run::seed::SeedError;
use crate::run::stage::Stage;
use crate::steps::targets::{self, ArmLayout, InstanceTarget, ResolvedTarget};

/// What to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The scenario, checked.
    pub scenario: Scenario,
    /// Seed to use.
    pub seed: u64,
    /// Arms to run, in order; the scenario's own when empty.
    pub arms: Vec<String>,
    /// Whether arms take turns instead of running side by side.
    pub interleaved: bool,
    /// Rounds of an interleaved run.
    pub rounds: u32,
    /// Where run folders go.
    pub out: PathBuf,
    /// The program nodes and generator are started from.
    pub program: PathBuf,
    /// The program's version and command line, for the record.
    pub version: String,
    /// The command line.
    pub command: Vec<String>,
    /// When the program started.
    pub started_at: Instant,
    /// What the record should say of how it came about.
    pub notes: Vec<String>,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run's folder.
    #[error("{path} cannot be written; choose another folder with --out")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An arm that the scenario does not have.
    #[error("{0}")]
    UnknownArm(String),
    /// The data set.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// An arm.
    #[error(transparent)]
    Arm(#[from] ArmError),
    /// The generator.
    #[error(transparent)]
    Load(#[from] GeneratorError),
    /// The figures of the run.
    #[error(transparent)]
    Metrics(#[from] transport::serve::BindError),
    /// The record.
    #[error("the run record in {path} cannot be written; make room, or choose another folder with --out")]
    Record {
        /// The run's folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No port for the spans.
    #[error("no port of the loopback interface can be listened on for traces; end what holds them all")]
    Collector(#[source] std::io::Error),
    /// An arm that answered nothing while it was measured what it can do.
    #[error(
        "`{0}` answered nothing while its capacity was measured; write an absolute rate such as \"100/s\""
    )]
    NoCapacity(String),
    /// Ctrl-C before there was anything to judge.
    #[error("interrupted before the load began")]
    Interrupted,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// `None` when it was interrupted.
    pub verdict: Option<Verdict>,
    /// Exit code of the program.
    pub exit_code: u8,
    /// The run's folder.
    pub folder: PathBuf,
}

/// How often the user asked to stop.
pub type Interrupts = watch::Receiver<u32>;

/// A prepared run: its folder and record exist, nothing has started.
pub struct Run {
    pub(crate) options: RunOptions,
    pub(crate) id: String,
    pub(crate) folder: PathBuf,
    pub(crate) record: RecordWriter,
    pub(crate) interrupts: Interrupts,
}

impl Run {
    /// Makes the run's folder and record.
    ///
    /// # Errors
    /// When it cannot be written; nothing has been started then.
    pub fn prepare(options: RunOptions, interrupts: Interrupts) -> Result<Self, RunError> {
        let names: Vec<&str> = options.scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
        if let Some(unknown) = options.arms.iter().find(|arm| !names.contains(&arm.as_str())) {
            return Err(RunError::UnknownArm(scenario::source::unknown("arm", unknown, names)));
        }
        let id = run_id();
        let folder = options.out.join(&id);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RunError::Folder { path, source }
        };
        std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
        // A server may be started from anywhere: children are told absolute paths.
        let folder = folder.canonicalize().map_err(failed(&folder))?;
        let path = folder.join("run.jsonl");
        let writer = record::Writer::create(&path).map_err(failed(&path))?;
        let record = RecordWriter::new(options.started_at, writer);
        Ok(Self { options, id, folder, record, interrupts })
    }

    /// The run's lines, for whoever watches.
    pub fn record(&self) -> &RecordWriter {
        &self.record
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs it to its verdict. Whatever was started is ended, also on error.
    ///
    /// # Errors
    /// When data, an arm or the generator does not come up.
    pub async fn run(self) -> Result<RunOutcome, RunError> {
        let tasks = Tasks::new();
        let token = random_secret("token");
        let environment = RunEnvironment {
            spawner: Spawner::new(),
            tasks: tasks.clone(),
            control: ControlClient::new(tasks.clone(), token.clone()),
            program: self.options.program.clone(),
            guardian: Arc::new(Guardian::new(&self.folder, &self.options.program)),
            cgroups: Arc::default(),
            scrape_targets: Arc::new(ScrapeTargets::new(&self.options.out, self.id.as_str())),
        };
        let metrics_addr = metrics_endpoint::serve(&tasks, &self.record).await?;
        if let Err(error) = environment.scrape_targets.add(metrics_addr, "") {
            let text = format!("the targets for Prometheus cannot be written: {error}");
            self.record.event(EventKind::Log, 0, text);
        }
        let mut interrupts = self.interrupts.clone();
        let children = environment.spawner.clone();
        let second_interrupt = async move {
            // The second Ctrl-C leaves at once, whatever is going on.
            if interrupts.wait_for(|count| *count >= 2).await.is_err() {
                std::future::pending::<()>().await;
            }
            children.kill_all();
        };
        let folder = self.folder.clone();
        let collector = self.collector(&tasks).await?;
        let stage = Stage::new(self, environment, token, collector);
        let result = tokio::select! {
            result = stage.execute() => result,
            () = second_interrupt => Err(RunError::Interrupted),
        };
        if let Err(RunError::Seed(_)) = result {
            // Nothing was started: there is nothing to keep a record of.
            let _ = std::fs::remove_dir_all(&folder);
        }
        tasks.finish(Duration::from_secs(1)).await;
        result
    }
}

impl Run {
    /// Where nodes send their spans, if any of them makes some.
    async fn collector(&self, tasks: &Tasks) -> Result<Option<Collector>, RunError> {
        let scenario = &self.options.scenario;
        let mut levels =
            scenario.arms.iter().map(|arm| telemetry_level(arm.telemetry.unwrap_or(scenario.telemetry)));
        if !levels.any(Level::traces) {
            return Ok(None);
        }
        let onward = telemetry::otlp_endpoint_from_env();
        let started = Collector::start(tasks, self.record.clone(), scenario.plan(), onward).await;
        let collector = started.map_err(RunError::Collector)?;
        let (grpc, http) = (collector.grpc, collector.http);
        let text = format!("OTLP: gRPC at {grpc}, HTTP at {http}");
        self.record.event(EventKind::Log, 0, text);
        Ok(Some(collector))
    }
}

/// Names a run: when it began, and a few letters to tell two apart.
fn run_id() -> String {
    let us = clock::wall_us();
    let seconds = us / 1_000_000;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    let tail = contract::Id::<()>::derived("run", &[&us.to_le_bytes(), &std::process::id().to_le_bytes()]);
    format!(
        "{year:04}{month:02}{day:02}-{:02}{:02}{:02}-{}",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60,
        &tail.to_string()[9..]
    )
}

/// Year, month and day of a day since 1970 (Hinnant, chrono-Compatible Low-Level Date Algorithms).
fn civil_date(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// A secret of the run: from the kernel's randomness.
pub(crate) fn random_secret(what: &str) -> String {
    use std::io::Read;
    let mut bytes = [0; 32];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    // Without it the clock and our pid are what is left; everything listens on loopback.
    if read.is_err() {
        bytes[..8].copy_from_slice(&clock::mono_ns().to_le_bytes());
        bytes[8..12].copy_from_slice(&std::process::id().to_le_bytes());
    }
    let parts = [what.as_bytes(), &bytes[..16], &bytes[16..]];
    let (one, two) = (contract::Id::<()>::derived("a", &parts), contract::Id::<()>::derived("b", &parts));
    format!("{one}{two}{}", contract::Id::<u8>::derived("c", &parts))
}

/// Telemetry of nodes as the scenario says.
pub(crate) fn telemetry_level(watching: TelemetryLevel) -> Level {
    match watching {
        TelemetryLevel::Off => Level::Off,
        TelemetryLevel::Metrics => Level::Metrics,
        TelemetryLevel::Sampled => Level::default(),
        TelemetryLevel::Full => Level::Full,
    }
}

/// Where a step would act in an arm, for `explain`: the same rule as in a run.
pub fn resolve_step(
    step: &scenario::Step,
    arm: &scenario::Arm,
    processes: &[ProcessPlan],
    seed: u64,
) -> ResolvedTarget {
    targets::resolve(step, &planned_layout(arm, processes), seed)
}

/// An arm that is only planned, as far as targets go.
pub(crate) fn planned_layout(arm: &scenario::Arm, processes: &[ProcessPlan]) -> ArmLayout {
    let (local_edges, remote_edges) = suite::catalogue::edges(processes);
    let copies = processes.iter().flat_map(|process| (0..process.replicas).map(move |copy| (process, copy)));
    let instance = |(process, copy): (&ProcessPlan, u32)| {
        let mut hosts: Vec<String> = process.hosts.iter().map(ToString::to_string).collect();
        hosts.extend(process.gateway.then(|| "gateway".to_owned()));
        hosts.extend(process.registry.then(|| "registry".to_owned()));
        let zone = arm.placement.zone_of(&process.name, copy).to_owned();
        InstanceTarget { name: format!("{}#{copy}", process.name), hosts, zone }
    };
    let cached = arm.services.iter().filter(|(_, service)| service.cache.is_some());
    ArmLayout {
        instances: copies.map(instance).collect(),
        local_edges,
        remote_edges,
        cached: cached.map(|(name, _)| name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(20_453), (2025, 12, 31));
        assert_eq!(civil_date(11_016), (2000, 2, 29));
    }
}
