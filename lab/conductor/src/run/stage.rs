//! The course of a run: data is laid, arms come up, blocks of load follow each other, the verdict is drawn.

use std::sync::Arc;

use contract::placement::process_count;
use model::startup::Startup;
use record::{Entry, MachineSpeed, Tracing, Verdict};
use runtime::clock;
use scenario::DataRetention;
use scorecard::Engine;

use crate::arm::Arm;
use crate::arm::arm_plan::ArmPlan;
use crate::arm::resources::group_arms;
use crate::arm::server_product::is_server_folder;
use crate::arm::servers::ArmServers;
use crate::process::{cgroup, speed_probe};
use crate::run::block::Block;
use crate::run::finish::{self, Measuring};
use crate::run::header::{describe, describe_planned};
use crate::run::options::{RunError, RunOptions, RunOutcome};
use crate::run::plan::{PlannedArm, RunPlan, round_order, task_of};
use crate::run::schedules::Schedules;
use crate::run::seed::{SNAPSHOTS, SeededData};
use crate::run::session::{DATA_TASK, GENERATOR_TASK, RunSession};
use crate::run::states::StateComparison;

/// A run on its way from data to verdict.
pub(crate) struct Stage {
    session: RunSession,
    states: StateComparison,
}

/// What arms are run with: the data they begin with, and what they are offered.
struct Material {
    seeded: SeededData,
    schedules: Schedules,
    /// How fast the machine was when they were made.
    speed: Option<MachineSpeed>,
}

impl Material {
    fn generate(options: &RunOptions) -> Self {
        let (scenario, rounds) = (&options.scenario, if options.interleaved { options.rounds } else { 1 });
        let seeded = SeededData::generate(options.seed, &scenario.load);
        let schedules = Schedules::plan(options.seed, rounds, scenario, &seeded.data);
        Self { seeded, schedules, speed: speed_probe::measure() }
    }
}

impl Stage {
    pub fn new(session: RunSession) -> Self {
        Self { session, states: StateComparison::default() }
    }

    /// Runs to the verdict.
    pub async fn execute(self) -> Result<RunOutcome, RunError> {
        let options = &self.session.options;
        let settled = options.clone();
        self.session.startup.send_replace(startup_of(&self.session.plan()));
        self.session.begin_task(DATA_TASK, &data_of(options));
        let material = runtime::blocking(move || Material::generate(&settled)).await;
        let mut planned = self.session.plan().arms(&material.seeded.probes())?;
        if let Some(text) = missing_quota(&planned, cgroup::is_available) {
            self.session.note(|notes| notes.degraded.push((0, text)));
        }
        if let Some(collector) = &self.session.collector {
            let traces = |arm: &&PlannedArm| arm.plan.config.telemetry.traces();
            let labels = |arm: &PlannedArm| (arm.letter, arm.plan.config.labels());
            collector.set_arms(planned.iter().filter(traces).map(labels).collect());
        }
        if options.interleaved {
            self.interleaved(&planned, &material).await?;
        } else {
            self.group_arms(&mut planned);
            self.side_by_side(&planned, &material).await?;
        }
        if let Some(source) = self.session.record.take_failure() {
            return Err(RunError::Record { path: self.session.folder, source });
        }
        let tracing = match &self.session.collector {
            Some(collector) => {
                let tracing = collector.finish().await;
                if let Some(text) = collector.forwarding_loss(&tracing) {
                    self.session.log(text);
                }
                tracing
            }
            None => Tracing::default(),
        };
        let record = self.session.record.clone();
        let recalled = record.clone();
        if let Err(source) = runtime::blocking(move || recalled.recall()).await {
            return Err(RunError::Recall { path: self.session.folder, source });
        }
        let mut measured = Measuring { tracing, speed: None };
        if !self.session.is_interrupted() {
            self.session.metrics.last_scrape().await;
            measured.speed = runtime::blocking(speed_probe::measure).await;
        }
        let keep_data = options.keep_data;
        let outcome = self.judge(measured);
        if !is_data_kept(keep_data, outcome.verdict) {
            remove_databases(&planned);
        }
        // A verdict that its record does not have is none.
        match record.take_failure() {
            Some(source) => Err(RunError::Record { path: outcome.folder, source }),
            None => Ok(outcome),
        }
    }

    /// Gives arms that share the cores the same share of them.
    fn group_arms(&self, planned: &mut [PlannedArm]) {
        if planned.len() < 2 {
            return;
        }
        let mut plans: Vec<_> = planned.iter_mut().map(|arm| &mut arm.plan).collect();
        if let Err(error) = group_arms(&self.session.environment, &self.session.id, &mut plans) {
            self.session.log(format!(
                "arms have no weight of their own: when cores are short, one of more processes gets more of them ({error})"
            ));
        }
    }

    /// All arms at the same moment, every arrival offered to all.
    async fn side_by_side(&self, planned: &[PlannedArm], material: &Material) -> Result<(), RunError> {
        let mut servers = Vec::new();
        for arm in planned {
            match self.install_data(arm, &material.seeded).await {
                Ok(started) => servers.push(started),
                Err(error) => {
                    for started in servers {
                        started.shut_down(&self.session.environment).await;
                    }
                    return Err(error);
                }
            }
        }
        self.data_is_laid(planned.len());
        let starts = planned.iter().zip(servers).map(|(arm, servers)| self.start_arm(arm, servers));
        let started = futures_util::future::join_all(starts).await;
        let mut arms = Vec::new();
        let mut ready = Vec::new();
        let mut failure = None;
        for result in started {
            match result {
                Ok((arm, ready_ms)) => {
                    arms.push(arm);
                    ready.push(ready_ms);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if let Some(error) = failure {
            self.end_arms(arms, 1).await;
            return Err(error);
        }
        let described = planned.iter().zip(&arms).zip(&ready);
        let described = described.map(|((planned, arm), ready_ms)| describe(planned, arm, *ready_ms));
        let result = self.block(&arms, 1, material).run(Some(described.collect())).await;
        self.end_arms(arms, 1).await;
        result
    }

    /// Arms one after another, in balanced order, each from fresh data. An interrupt between two of them leaves what was
    /// measured; one before the first leaves nothing.
    async fn interleaved(&self, planned: &[PlannedArm], material: &Material) -> Result<(), RunError> {
        let mut is_first = true;
        for round in 1..=self.session.options.rounds {
            for index in round_order(round, planned.len()) {
                let has_begun = !is_first;
                if self.session.is_interrupted() {
                    return if has_begun { Ok(()) } else { Err(RunError::Interrupted) };
                }
                let arm = &planned[index];
                let servers = self.install_data(arm, &material.seeded).await?;
                self.data_is_laid(1);
                let (running, ready_ms) = self.start_arm(arm, servers).await?;
                if !is_first {
                    let server_ready_ms = running.servers().ready_ms();
                    let start = record::Start { arm: arm.letter, round, ready_ms, server_ready_ms };
                    self.session.record.append(Entry::Start(start));
                }
                let described = std::mem::take(&mut is_first).then(|| {
                    let describe = |other: &PlannedArm| {
                        if other.letter == arm.letter {
                            describe(other, &running, ready_ms)
                        } else {
                            describe_planned(other)
                        }
                    };
                    planned.iter().map(describe).collect()
                });
                let arms = vec![running];
                let result = self.block(&arms, round, material).run(described).await;
                self.end_arms(arms, round).await;
                match result {
                    // Before the load of this turn: earlier ones are judged.
                    Err(RunError::Interrupted) if has_begun => return Ok(()),
                    result => result?,
                }
            }
        }
        Ok(())
    }

    fn block<'a>(&'a self, arms: &'a [Arc<Arm>], round: u32, material: &'a Material) -> Block<'a> {
        let (schedules, speed) = (&material.schedules, material.speed);
        Block { session: &self.session, arms, round, states: &self.states, schedules, speed }
    }

    /// Puts fresh data where an arm expects it, in files and on the servers that it needs, which run from here on.
    async fn install_data(&self, planned: &PlannedArm, seeded: &SeededData) -> Result<ArmServers, RunError> {
        let options = &self.session.options;
        let snapshot = seeded.snapshot(&options.out.join(SNAPSHOTS), &planned.processes).await?;
        self.session.begin_task(DATA_TASK, &format!("copied for {}", planned.plan.name));
        let data = planned.plan.config.data.clone();
        let failed = |source| RunError::Folder { path: data.clone(), source };
        if !data.exists() || options.scenario.data != DataRetention::Kept {
            remove_data(&planned.plan).map_err(failed)?;
            storage::snapshot::restore(&snapshot, &data).map_err(failed)?;
        }
        let environment = &self.session.environment;
        let (servers, empty) = ArmServers::start(environment, &planned.plan).await?;
        if let Err(error) = seeded.fill_servers(&planned.plan.name, empty).await {
            servers.shut_down(environment).await;
            return Err(error.into());
        }
        Ok(servers)
    }

    /// The data of so many arms is where they expect it.
    fn data_is_laid(&self, arms: usize) {
        let text = if arms == 1 { "ready for one arm".to_owned() } else { format!("ready for {arms} arms") };
        self.session.finish_task(DATA_TASK, &text, self.session.options.started_at);
    }

    async fn start_arm(
        &self,
        planned: &PlannedArm,
        servers: ArmServers,
    ) -> Result<(Arc<Arm>, u64), RunError> {
        let started_at = clock::now();
        let task = task_of(planned.letter, &planned.plan.name);
        let processes = match process_count(&planned.processes) {
            1 => "1 process".to_owned(),
            more => format!("{more} processes"),
        };
        self.session.begin_task(&task, &format!("{processes} to start"));
        let arm = Arm::start(&self.session.environment, planned.plan.clone(), servers).await?;
        let ready = clock::now().saturating_duration_since(started_at);
        self.session.finish_task(&task, &format!("serves with {processes}"), started_at);
        Ok((Arc::new(arm), u64::try_from(ready.as_millis()).unwrap_or(0)))
    }

    /// Ends arms, and with them a round: their last spans have come by then. All at once: what an arm takes for it is mostly
    /// the time in which its clients leave.
    async fn end_arms(&self, arms: Vec<Arc<Arm>>, round: u32) {
        let letters: Vec<char> = arms.iter().map(|arm| arm.plan.letter).collect();
        futures_util::future::join_all(arms.into_iter().map(|arm| self.end_arm(arm))).await;
        if let Some(collector) = &self.session.collector {
            collector.conclude(round, &letters);
        }
    }

    async fn end_arm(&self, arm: Arc<Arm>) {
        match Arc::try_unwrap(arm) {
            Ok(arm) => {
                let left = arm.shut_down().await.into_iter().map(|name| format!("{name} is still running"));
                self.session.note(|notes| notes.left_behind.extend(left));
            }
            // A defect of the conductor; the lifeline ends the arm's processes.
            Err(arm) => self.session.log(format!("arm {} was still in use", arm.plan.name)),
        }
    }

    fn judge(self, measured: Measuring) -> RunOutcome {
        let session = self.session;
        let scenario = &session.options.scenario;
        let interrupted = session.is_interrupted();
        let steps = session.step_log.take();
        let mut notes = session.notes.into_inner().expect("no panic while held");
        notes.unhit.extend(finish::steps_without_hits(scenario, &session.record, &steps));
        notes.inapplicable.extend(finish::inapplicable_steps(scenario, &session.record, &steps));
        notes.left_behind.extend(steps.not_cleaned_up);
        notes.withheld.extend(steps.withheld);
        notes.degraded.extend(steps.degraded.into_iter().map(|((step, _), reason)| (step, reason)));
        session.environment.close();
        let end = finish::conclude(
            scenario,
            &session.record,
            &notes,
            &Engine::new(session.options.starts.clone()),
            interrupted,
            measured,
        );
        let outcome = RunOutcome { verdict: end.verdict, exit_code: end.exit_code, folder: session.folder };
        session.record.append(Entry::End(Box::new(end)));
        outcome
    }
}

/// Whether databases stay when a run has ended: after a failed claim they are what it can be explained by.
fn is_data_kept(asked_for: bool, verdict: Option<Verdict>) -> bool {
    asked_for || verdict == Some(Verdict::Fail)
}

/// Removes what arms kept in databases and blobs: the audit has read them, and the record has what it found.
fn remove_databases(planned: &[PlannedArm]) {
    for arm in planned {
        // An arm that was never started has none, and what cannot be removed takes room until the run is.
        let _ = remove_data(&arm.plan);
    }
}

/// Removes what an arm keeps, as far as there is any.
fn remove_data(plan: &ArmPlan) -> std::io::Result<()> {
    let kept = std::fs::read_dir(&plan.folder).into_iter().flatten().flatten();
    let servers = kept
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && path.file_name().is_some_and(is_server_folder));
    for folder in servers.chain([plan.config.data.clone()]) {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What the start of a run consists of, in order.
fn startup_of(plan: &RunPlan<'_>) -> Startup {
    let (options, names) = (plan.options, plan.names());
    // In turns the first arm starts; the others do when it is theirs.
    let starting = if options.interleaved { 1 } else { names.len() };
    let arms = names.iter().take(starting).map(|name| (name.as_str(), "its processes start".to_owned()));
    let generator = "tries every journey on every arm".to_owned();
    let tasks = [(DATA_TASK, data_of(options))].into_iter().chain(arms).chain([(GENERATOR_TASK, generator)]);
    Startup::new(&options.scenario.name, options.seed, tasks)
}

fn data_of(options: &RunOptions) -> String {
    format!("users, photos and their history, from seed {}", options.seed)
}

/// A sentence where an arm has a quota that this machine cannot keep: the arm is not what the scenario says.
fn missing_quota(planned: &[PlannedArm], is_available: impl Fn() -> bool) -> Option<String> {
    let has_quota = |arm: &&PlannedArm| arm.plan.placement.limits.values().any(|limits| limits.cpu.is_some());
    let arm = planned.iter().find(has_quota).filter(|_| !is_available())?;
    Some(format!(
        "{}: `limits.cpu` needs a control group, and `cleave` may make none on this machine",
        arm.plan.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_start_is_data_the_arms_that_start_at_once_and_the_generator() {
        let names = |interleaved| {
            let (options, secrets) = (fixture::options(&fixture::two_arms("")), fixture::secrets());
            let options = RunOptions { interleaved, ..options };
            let folder = std::path::Path::new("/runs/r1");
            let plan = RunPlan { options: &options, id: "r1", folder, secrets: &secrets, otlp: None };
            let startup = startup_of(&plan);
            startup.tasks.into_iter().map(|task| task.name).collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["data", "A micro", "B mono", "generator"]);
        assert_eq!(names(true), ["data", "A micro", "generator"], "B starts when it is its turn");
    }

    #[test]
    fn databases_stay_after_a_failed_claim_or_where_they_are_asked_for() {
        assert!(is_data_kept(false, Some(Verdict::Fail)) && is_data_kept(true, Some(Verdict::Pass)));
        for verdict in [Some(Verdict::Pass), Some(Verdict::Inconclusive), Some(Verdict::Invalid), None] {
            assert!(!is_data_kept(false, verdict), "{verdict:?}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (options, secrets) = (fixture::options(&fixture::two_arms("")), fixture::secrets());
        let plan =
            RunPlan { options: &options, id: "r1", folder: folder.path(), secrets: &secrets, otlp: None };
        let planned = plan.arms(&[]).expect("arms");
        let data = &planned[0].plan.config.data;
        std::fs::create_dir_all(data.join("blobs")).expect("a folder of ours");
        let servers = ["postgres-0", "nats-0"].map(|name| planned[0].plan.folder.join(name));
        servers.iter().for_each(|server| std::fs::create_dir(server).expect("a folder of ours"));
        let log = planned[0].plan.folder.join("app#0.log");
        std::fs::write(&log, "").expect("a folder of ours");
        remove_databases(&planned);
        assert!(!data.exists() && !servers.iter().any(|server| server.exists()));
        assert!(log.exists(), "and nothing else");
    }

    #[test]
    fn a_quota_is_missed_only_where_a_scenario_has_one_and_the_machine_has_none() {
        let planned = |text: &str| {
            let (options, secrets) = (fixture::options(text), fixture::secrets());
            let folder = std::path::Path::new("/runs/r1");
            let plan = RunPlan { options: &options, id: "r1", folder, secrets: &secrets, otlp: None };
            plan.arms(&[]).expect("arms")
        };
        let limited = "[topology.limited]\nprocesses = { app = [\"gateway\", \"*\"] }\nlimits = { app = { cpu = 0.5 } }\n";
        assert_eq!(missing_quota(&planned(&fixture::two_arms("")), || false), None);
        let planned = planned(&fixture::two_arms(limited));
        assert_eq!(missing_quota(&planned, || true), None);
        assert!(missing_quota(&planned, || false).expect("no groups").starts_with("limited: `limits.cpu`"));
    }
}
