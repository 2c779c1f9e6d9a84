//! A run, from its options to its verdict.
//!
//! - [`Run`]: prepared, then run to its verdict. Start here. [`options`]: what to run, and how it ended.
//! - `stage`: its course, arm by arm or side by side. `block`: one load on some arms. `session`: what they share.
//! - `plan`: what is settled before anything starts: arms, load, `secrets`, `run_id`. `folder`: where it is written. `header`: the
//!   record's first line.
//! - [`planned`]: a run as it would begin, for what is simulated instead.
//! - [`seed`]: the data a run begins with. [`generator`]: the load generator as a child.
//! - `phases`: when phases begin, and what each cost. `search`: whether rates beyond the declared ones follow. `stop`: what ends a run early.
//! - `schedules`: what each round offers. `states`: whether arms hold the same data. `finish`: checks, scores, verdict.
//! - [`up`]: a suite that stays up, for trying things out.

mod block;
mod finish;
mod folder;
pub mod generator;
pub(crate) mod header;
pub mod options;
mod phases;
pub(crate) mod plan;
pub mod planned;
mod run_id;
pub(crate) mod schedules;
mod search;
pub(crate) mod secrets;
pub mod seed;
mod session;
mod stage;
mod states;
mod stop;
pub mod up;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use model::startup::Startup;
use record::EventKind;
use runtime::Tasks;
use scenario::DataRetention;
use scorecard::Circumstances;
use telemetry::Level;
use tokio::sync::watch;

pub use self::options::{BuiltChange, Interrupts, RunError, RunOptions, RunOutcome};
use self::secrets::RunSecrets;
use self::session::RunSession;
use self::stage::Stage;
use crate::arm::arm_plan::ArmError;
use crate::arm::environment::{RunEnvironment, RunPaths};
use crate::arm::resources::telemetry_level;
use crate::arm::server_product::ServerProduct;
use crate::arm::servers;
use crate::observe::collector::Collector;
use crate::observe::heap;
use crate::observe::metrics_endpoint::MetricsEndpoint;
use crate::observe::record_writer::RecordWriter;
use crate::steps::log::StepLog;

/// How long the conductor's own tasks may take to end.
const TASKS_GRACE: Duration = Duration::from_secs(1);

/// A prepared run: its folder and record exist, nothing has started.
pub struct Run {
    options: RunOptions,
    id: String,
    folder: PathBuf,
    record: RecordWriter,
    /// The user's collector.
    otlp: Option<String>,
    interrupts: Interrupts,
    startup: watch::Sender<Startup>,
}

impl Run {
    /// Makes the run's folder and record.
    ///
    /// # Errors
    /// When it cannot be written; nothing has been started then.
    pub fn prepare(options: RunOptions, interrupts: Interrupts) -> Result<Self, RunError> {
        check(&options)?;
        if options.scenario.change.is_some() && options.change.is_none() {
            return Err(RunError::NotBuilt(options.scenario.as_argument()));
        }
        let otlp = telemetry::otlp_endpoint_from_env()?;
        let id = run_id::run_id();
        let folder = folder::create(&options.out.join(&id))?;
        let record = folder::create_record(&folder, options.started_at)?;
        Ok(Self { options, id, folder, record, otlp, interrupts, startup: watch::Sender::default() })
    }

    /// The run's record, to subscribe to.
    pub fn record(&self) -> &RecordWriter {
        &self.record
    }

    /// How far the run is before its record begins.
    pub fn startup(&self) -> watch::Receiver<Startup> {
        self.startup.subscribe()
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs it to its verdict. Whatever was started is ended, also on error.
    ///
    /// # Errors
    /// When data, an arm or the generator does not come up.
    pub fn run(self) -> LocalBoxFuture<'static, Result<RunOutcome, RunError>> {
        // Boxed, or all of it would be compiled where it is polled: in the program, which is compiled last.
        Box::pin(self.execute())
    }

    async fn execute(self) -> Result<RunOutcome, RunError> {
        let tasks = Tasks::new();
        let secrets = RunSecrets::generate()?;
        let paths = RunPaths { out: &self.options.out, folder: &self.folder, program: &self.options.program };
        let record = self.record.clone();
        let deployables = self.options.change.as_ref().map(|change| change.deployables.clone());
        let environment = RunEnvironment {
            deployables,
            ..RunEnvironment::new(tasks.clone(), &paths, &self.id, &secrets.token, record)
                .with_given(self.options.given.clone())
        };
        heap::give_back_every_minute(&tasks, &self.record);
        let metrics = MetricsEndpoint::start(&tasks, &self.record).await?;
        if let Err(error) = environment.scrape_targets.add(metrics.addr, "") {
            let text = format!("Prometheus has no list of this run's processes: {error}");
            self.record.event(EventKind::Log, 0, text);
        }
        let scenario = &self.options.scenario;
        for text in stop::never_judged(&scenario.stop, &scenario.arms_to_run(&self.options.arms)) {
            self.record.event(EventKind::Log, 0, text);
        }
        let mut interrupts = self.interrupts.clone();
        let children = environment.spawner.clone();
        let second_interrupt = async move {
            // The second Ctrl-C ends the run at once, whatever is going on.
            if interrupts.wait_for(|count| *count >= 2).await.is_err() {
                std::future::pending::<()>().await;
            }
            children.kill_all();
        };
        let folder = self.folder.clone();
        let collector = self.start_collector(&tasks).await?;
        let stage = Stage::new(RunSession {
            options: self.options,
            id: self.id,
            folder: self.folder,
            record: self.record,
            interrupts: self.interrupts,
            environment,
            secrets,
            collector,
            metrics,
            step_log: StepLog::default(),
            notes: Mutex::new(Circumstances::default()),
            startup: self.startup,
        });
        let result = tokio::select! {
            result = stage.execute() => result,
            () = second_interrupt => Err(RunError::Interrupted),
        };
        if let Err(RunError::Seed(_)) = result {
            // Nothing was started: there is nothing to keep a record of.
            let _ = std::fs::remove_dir_all(&folder);
        }
        tasks.finish(TASKS_GRACE).await;
        result
    }

    /// Starts the collector that nodes send their spans to, if any of them traces.
    async fn start_collector(&self, tasks: &Tasks) -> Result<Option<Collector>, RunError> {
        let scenario = &self.options.scenario;
        let level = |arm: &scenario::Arm| telemetry_level(arm.telemetry.unwrap_or(scenario.telemetry));
        if !scenario.arms.iter().map(level).any(Level::traces) {
            return Ok(None);
        }
        let onward = self.otlp.clone();
        let started = Collector::start(tasks, self.record.clone(), scenario.offered_phases(), onward).await;
        let collector = started.map_err(RunError::Collector)?;
        let (grpc, http) = (collector.grpc, collector.http);
        self.record.event(EventKind::Log, 0, format!("OTLP: gRPC at {grpc}, HTTP at {http}"));
        Ok(Some(collector))
    }
}

/// Refuses what cannot be run here, before anything is made or started: arms that the scenario does not have, servers that
/// this machine has not, or that cannot be used, and a collector that is none.
///
/// # Errors
/// What is wrong, and what there is.
pub fn check(options: &RunOptions) -> Result<(), RunError> {
    if options.scenario.is_only_simulated() {
        return Err(RunError::SimulatedOnly(options.scenario.as_argument()));
    }
    check_arms(options)?;
    let arms = options.scenario.arms_to_run(&options.arms);
    for arm in &arms {
        servers::check(&arm.name, &arm.placement, &options.given).map_err(ArmError::from)?;
    }
    check_given(options, &arms)?;
    telemetry::otlp_endpoint_from_env()?;
    Ok(())
}

/// Checks servers that are there already.
fn check_given(options: &RunOptions, arms: &[&scenario::Arm]) -> Result<(), RunError> {
    let given = &options.given;
    if !given.has(ServerProduct::Postgres) && !given.has(ServerProduct::Nats) {
        return Ok(());
    }
    given.check_plan(arms, &options.scenario.steps).map_err(ArmError::from)?;
    if given.has(ServerProduct::Postgres) && options.scenario.data == DataRetention::Kept {
        return Err(RunError::DataKept(options.scenario.name.clone()));
    }
    // No other runtime is there before a run.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RunError::Runtime)?;
    Ok(runtime.block_on(given.check_reachable(arms)).map_err(ArmError::from)?)
}

/// Checks the arms that are asked for.
///
/// # Errors
/// When the scenario has no such arm, one is named twice, or there are too many.
pub(crate) fn check_arms(options: &RunOptions) -> Result<(), RunError> {
    let names: Vec<&str> = options.scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
    if let Some(unknown) = options.arms.iter().find(|arm| !names.contains(&arm.as_str())) {
        return Err(RunError::UnknownArm(scenario::source::unknown("arm", unknown, names)));
    }
    let twice = options.arms.iter().enumerate().find(|(at, name)| options.arms[..*at].contains(name));
    if let Some((_, name)) = twice {
        return Err(RunError::UnknownArm(format!("arm `{name}` is named twice in --arms; name it once")));
    }
    if options.arms.len() > scenario::MAX_ARMS {
        let (named, most) = (options.arms.len(), scenario::MAX_ARMS);
        return Err(RunError::UnknownArm(format!("--arms names {named} arms; name at most {most}")));
    }
    if let Some(against) = &options.against {
        let run: Vec<&str> = if options.arms.is_empty() {
            options.scenario.default_arms().map(|arm| arm.name.as_str()).collect()
        } else {
            options.arms.iter().map(String::as_str).collect()
        };
        if !run.contains(&against.as_str()) {
            return Err(RunError::UnknownArm(scenario::source::unknown("arm", against, run)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_run_begins_with_a_folder_and_a_record_and_nothing_else() {
        let out = tempfile::tempdir().expect("a folder");
        let (_sender, interrupts) = tokio::sync::watch::channel(0);
        let mut options = fixture::options(&fixture::two_arms(""));
        options.out = out.path().to_owned();
        options.arms = vec!["mirco".to_owned()];
        let error = Run::prepare(options.clone(), interrupts.clone()).map(|_| ()).expect_err("a typo");
        assert!(error.to_string().contains("did you mean `micro`?"), "{error}");
        options.arms = vec!["micro".to_owned(), "mono".to_owned(), "micro".to_owned()];
        let error = Run::prepare(options.clone(), interrupts.clone()).map(|_| ()).expect_err("twice");
        assert!(error.to_string().contains("`micro` is named twice"), "{error}");
        (options.arms, options.against) = (vec!["mono".to_owned()], Some("micro".to_owned()));
        let error = Run::prepare(options.clone(), interrupts.clone()).map(|_| ()).expect_err("not run");
        assert!(error.to_string().contains("unknown arm `micro`"), "{error}");
        assert_eq!(std::fs::read_dir(out.path()).expect("readable").count(), 0, "nothing was made");
        options.arms.clear();
        let run = Run::prepare(options, interrupts).expect("a folder");
        assert!(run.folder().is_absolute() && run.folder().join("run.jsonl").exists());
        let name = run.folder().file_name().map(|name| name.to_string_lossy().into_owned());
        assert_eq!(name.as_deref(), Some(run.id.as_str()));
    }
}
