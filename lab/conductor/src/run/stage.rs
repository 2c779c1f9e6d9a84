//! The course of a run: arms come up, the load is offered, steps are played, figures are taken.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loadgen::{Message, Summary};
use record::{Entry, EventKind, Tracing};
use runtime::clock;
use scenario::DataRetention;
use scorecard::Circumstances;
use tokio::sync::watch;
use traffic::load::Model;

use crate::arm::{Arm, RunEnvironment};
use crate::observe::collector::Collector;
use crate::observe::record_writer::RecordWriter;
use crate::observe::sampling::{AuxiliaryProcess, Sampler};
use crate::process::usage;
use crate::run::finish;
use crate::run::generator::Generator;
use crate::run::plan::{PlannedArm, describe_planned, round_order};
use crate::run::seed::SeededData;
use crate::run::{Interrupts, Run, RunError, RunOptions, RunOutcome, random_secret};
use crate::steps::timeline::{self, SharedStepLog, StepContext};

/// The load begins this long after everybody is ready: time for the word to arrive.
const START_LEAD: Duration = Duration::from_millis(250);
/// A run that has a stage to play on.
pub(crate) struct Stage {
    pub(crate) options: RunOptions,
    pub(crate) id: String,
    pub(crate) folder: PathBuf,
    pub(crate) record: RecordWriter,
    interrupts: Interrupts,
    pub(crate) environment: RunEnvironment,
    pub(crate) token: String,
    pub(crate) secret: String,
    log: SharedStepLog,
    /// Takes the spans of all nodes in; none where nobody traces.
    pub(crate) collector: Option<Collector>,
    pub(crate) notes: Mutex<Circumstances>,
    /// The state of the first arm that was asked, to compare the others with: when the
    /// load began, and, by shape of components, when it was over.
    initial_state: Mutex<Option<String>>,
    final_states: Mutex<BTreeMap<String, String>>,
}

impl Stage {
    pub(crate) fn new(
        run: Run,
        environment: RunEnvironment,
        token: String,
        collector: Option<Collector>,
    ) -> Self {
        let Run { options, id, folder, record, interrupts } = run;
        let notes = Circumstances { interleaved: options.interleaved, ..Circumstances::default() };
        Self {
            options,
            id,
            folder,
            record,
            interrupts,
            environment,
            token,
            secret: random_secret("identity"),
            log: SharedStepLog::default(),
            collector,
            notes: Mutex::new(notes),
            initial_state: Mutex::default(),
            final_states: Mutex::default(),
        }
    }

    pub(crate) async fn execute(self) -> Result<RunOutcome, RunError> {
        let load = self.options.scenario.load.clone();
        let seed = self.options.seed;
        let seeded = runtime::blocking(move || SeededData::generate(seed, &load)).await;
        let planned = self.plan_arms(&seeded)?;
        self.note_missing_quotas(&planned);
        let result = if self.options.interleaved {
            self.interleaved(&planned, &seeded).await
        } else {
            self.side_by_side(&planned, &seeded).await
        };
        result?;
        if let Some(error) = self.record.take_failure() {
            return Err(RunError::Record { path: self.folder, source: error });
        }
        let tracing = match &self.collector {
            Some(collector) => collector.finish().await,
            None => Tracing::default(),
        };
        Ok(self.judge(tracing))
    }

    /// A limit that this machine cannot keep is told: the arms are not what the file says.
    fn note_missing_quotas(&self, planned: &[PlannedArm]) {
        let wanted =
            planned.iter().find(|arm| arm.plan.placement.limits.values().any(|limits| limits.cpu.is_some()));
        let Some(arm) = wanted.filter(|_| !crate::process::cgroup::is_available()) else { return };
        let text = format!(
            "{}: `limits.cpu` takes a control group, and this machine lets us make none",
            arm.plan.name
        );
        self.notes.lock().expect("no panic while held").degraded.push((0, text));
    }

    fn is_interrupted(&self) -> bool {
        *self.interrupts.borrow() > 0
    }

    /// Puts fresh data where an arm expects it.
    async fn install_data(&self, planned: &PlannedArm, seeded: &SeededData) -> Result<(), RunError> {
        let snapshots = self.options.out.join(".snapshots");
        let snapshot = seeded.snapshot(&snapshots, &planned.processes).await?;
        let data = planned.plan.config.data.clone();
        let failed = |source| RunError::Folder { path: data.clone(), source };
        if data.exists() {
            if self.options.scenario.data == DataRetention::Kept {
                return Ok(());
            }
            std::fs::remove_dir_all(&data).map_err(failed)?;
        }
        storage::snapshot::restore(&snapshot, &data).map_err(failed)
    }

    async fn start_arm(&self, planned: &PlannedArm) -> Result<(Arc<Arm>, u64), RunError> {
        let started_at = clock::now();
        let arm = Arm::start(&self.environment, planned.plan.clone(), &self.record).await?;
        let ready_ms =
            u64::try_from(clock::now().saturating_duration_since(started_at).as_millis()).unwrap_or(0);
        Ok((Arc::new(arm), ready_ms))
    }

    /// Ends arms, and with them a round: their last spans have come by then.
    async fn end_arms(&self, arms: Vec<Arc<Arm>>, round: u32) {
        for arm in arms {
            match Arc::try_unwrap(arm) {
                Ok(arm) => {
                    let left = arm.shut_down(&self.environment).await;
                    let mut notes = self.notes.lock().expect("no panic while held");
                    notes.left_behind.extend(left.into_iter().map(|name| format!("{name} is still running")));
                }
                // Somebody still looks at it: that would be a defect of ours, and the lifeline ends it.
                Err(arm) => {
                    self.record.event(EventKind::Log, 0, format!("arm {} was still in use", arm.plan.name))
                }
            }
        }
        if let Some(collector) = &self.collector {
            collector.conclude(round);
        }
    }

    /// All arms at the same moment, every arrival offered to all.
    async fn side_by_side(&self, planned: &[PlannedArm], seeded: &SeededData) -> Result<(), RunError> {
        for arm in planned {
            self.install_data(arm, seeded).await?;
        }
        let started = futures_util::future::join_all(planned.iter().map(|arm| self.start_arm(arm))).await;
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
        let described: Vec<record::Arm> = planned
            .iter()
            .zip(&arms)
            .zip(&ready)
            .map(|((planned, arm), ready_ms)| arm.describe(planned, *ready_ms))
            .collect();
        let result = self.run_block(&arms, seeded, 1, Some(described)).await;
        self.end_arms(arms, 1).await;
        result
    }

    /// Arms one after another, in balanced order, each from fresh data.
    async fn interleaved(&self, planned: &[PlannedArm], seeded: &SeededData) -> Result<(), RunError> {
        let mut described: Option<Vec<record::Arm>> = Some(Vec::new());
        for round in 1..=self.options.rounds {
            for index in round_order(round, planned.len()) {
                if self.is_interrupted() {
                    return Ok(());
                }
                let arm = &planned[index];
                self.install_data(arm, seeded).await?;
                let (running, ready_ms) = self.start_arm(arm).await?;
                let header = described.take().map(|_| {
                    let describe = |other: &PlannedArm| {
                        if other.letter == arm.letter {
                            running.describe(other, ready_ms)
                        } else {
                            describe_planned(other)
                        }
                    };
                    planned.iter().map(describe).collect()
                });
                let arms = vec![running];
                let result = self.run_block(&arms, seeded, round, header).await;
                self.end_arms(arms, round).await;
                result?;
            }
        }
        Ok(())
    }

    /// One load on some arms. The first block of a run writes the header.
    async fn run_block(
        &self,
        arms: &[Arc<Arm>],
        seeded: &SeededData,
        round: u32,
        header: Option<Vec<record::Arm>>,
    ) -> Result<(), RunError> {
        let ready_ms = self.record.now() / 1_000_000;
        let plan = self.load_plan(arms, round);
        let mut generator = Generator::start(&self.environment, &plan, &self.folder).await?;
        if self.is_interrupted() {
            return Err(RunError::Interrupted);
        }
        self.compare_initial_states(arms, round).await;
        // One instant on three clocks: ours, the generator's, the record's.
        let lead_ns = u64::try_from(START_LEAD.as_nanos()).unwrap_or(0);
        let (start, start_mono_ns) = (clock::now() + START_LEAD, clock::mono_ns() + lead_ns);
        let load_start_ns = self.record.now() + lead_ns;
        if let Some(described) = header {
            let header = self.header(described, seeded, &generator, ready_ms, load_start_ns);
            self.record.append(Entry::Header(Box::new(header)));
            for note in &self.options.notes {
                self.record.event(EventKind::Log, 0, note.clone());
            }
        }
        if let Some(collector) = &self.collector {
            collector.begin(round, start, load_start_ns);
        }
        generator.start_load(start_mono_ns);
        let auxiliary = [
            AuxiliaryProcess { name: "generator".into(), pid: generator.pid() },
            AuxiliaryProcess { name: "cleave".into(), pid: std::process::id() },
        ];
        let (done, over) = watch::channel(false);
        let costs = Mutex::new(Vec::new());
        let context = StepContext {
            scenario: &self.options.scenario,
            arms,
            seed: self.options.seed,
            t0: start,
            environment: &self.environment,
            record: &self.record,
            log: &self.log,
            guardian: &self.environment.guardian,
            proxies: Mutex::default(),
        };
        let playing = async { tokio::join!(context.run(), self.phases(arms, round, start, &costs)) };
        let sampling = self.sample(arms, &auxiliary, over.clone());
        let listening = self.follow_generator(&mut generator, start, done);
        let mut over_for_steps = over.clone();
        let playing = async {
            tokio::select! {
                _ = playing => {}
                // Cut short: steps still to come are not played, lasting ones lapse by themselves.
                () = until(&mut over_for_steps, |over| *over) => {}
            }
        };
        let (summary, (), ()) = tokio::join!(listening, playing, sampling);
        let ended = generator.wait().await;
        self.note_generator(summary.as_deref(), &ended);
        self.append_costs(round, costs.into_inner().expect("no panic while held"));
        if !self.is_interrupted() {
            self.compare_final_states(arms, round).await;
        }
        drop(context);
        self.confirm_clean(arms).await;
        Ok(())
    }

    /// After the load nothing that a step did may be left.
    async fn confirm_clean(&self, arms: &[Arc<Arm>]) {
        let mut left = Vec::new();
        for arm in arms {
            left.extend(timeline::remaining_leases(arm, &self.environment).await);
            let stopped = |instance: &Arc<crate::arm::instance::Instance>| {
                let pid = instance.status().pid;
                (usage::state(pid) == Some('T'))
                    .then(|| format!("{}/{} is stopped", arm.plan.name, instance.name))
            };
            left.extend(arm.instances().iter().filter_map(stopped));
        }
        if self.is_interrupted() {
            // Cut short: what lasts lapses by itself, and the processes end now.
            left.clear();
        }
        self.notes.lock().expect("no panic while held").left_behind.extend(left);
    }

    async fn sample(
        &self,
        arms: &[Arc<Arm>],
        auxiliary: &[AuxiliaryProcess],
        mut over: watch::Receiver<bool>,
    ) {
        let mut sampler = Sampler::new(&self.record);
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = tick.tick() => sampler.sample(arms, auxiliary, &self.environment.control, &self.record).await,
                () = until(&mut over, |over| *over) => {
                    sampler.sample(arms, auxiliary, &self.environment.control, &self.record).await;
                    return;
                }
            }
        }
    }

    /// Writes what the generator says until it has said everything; cuts it
    /// short on Ctrl-C, on a stop condition, or when the time is up.
    async fn follow_generator(
        &self,
        generator: &mut Generator,
        start: Instant,
        done: watch::Sender<bool>,
    ) -> Option<Box<Summary>> {
        let mut interrupts = self.interrupts.clone();
        let mut summary = None;
        let mut cancelled = false;
        let mut look = tokio::time::interval(Duration::from_secs(1));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let load_ends = start + Duration::from_nanos(self.options.scenario.length_ns());
        loop {
            let message = tokio::select! {
                message = generator.next_message() => message,
                () = until(&mut interrupts, |count| *count > 0), if !cancelled => {
                    cancelled = true;
                    self.record.event(EventKind::Log, 0, "interrupted: ending in order");
                    generator.cancel();
                    continue;
                }
                _ = look.tick() => {
                    if clock::now() >= load_ends {
                        done.send_replace(true);
                    }
                    if !cancelled && let Some(reason) = self.stop_reason(start) {
                        cancelled = true;
                        self.record.event(EventKind::Log, 0, format!("stopped: {reason}"));
                        self.notes.lock().expect("no panic while held").generator.push(format!("the run was stopped: {reason}"));
                        generator.cancel();
                    }
                    continue;
                }
            };
            match message {
                Some(Message::Window(window)) => self.record.append(Entry::Window(window)),
                Some(Message::Traced { journeys }) => {
                    if let Some(collector) = &self.collector {
                        collector.traced(journeys);
                    }
                }
                Some(Message::Audit(audit)) => self.record.append(Entry::Audit(audit)),
                Some(Message::Summary(stated)) => summary = Some(stated),
                Some(Message::Failed { reason }) => {
                    self.notes.lock().expect("no panic while held").generator.push(reason);
                }
                Some(Message::Hello { .. } | Message::Ready { .. } | Message::Started) => {}
                None => {
                    done.send_replace(true);
                    return summary;
                }
            }
        }
    }

    fn note_generator(&self, summary: Option<&Summary>, ended: &str) {
        let mut notes = self.notes.lock().expect("no panic while held");
        let Some(summary) = summary else {
            notes.generator.push(format!("the load generator ended without a summary: {ended}"));
            return;
        };
        notes.generator.extend(summary.problems.iter().cloned());
        for (arm, totals) in &summary.arms {
            let answered = totals.ok + totals.errors.values().sum::<u64>();
            if totals.goose.0 != 0 && totals.goose.0 != answered {
                notes.generator.push(format!(
                    "{arm}: goose counted {} answers, the recorder {answered}",
                    totals.goose.0
                ));
            }
        }
    }

    /// Every arm begins every round with the same data, whatever was there before (trap T7).
    async fn compare_initial_states(&self, arms: &[Arc<Arm>], round: u32) {
        for (arm, state) in finish::final_states(arms, &self.environment.control, false).await {
            let mut first = self.initial_state.lock().expect("no panic while held");
            let first = first.get_or_insert_with(|| state.clone());
            if state != *first {
                let text = format!("{arm} began round {round} with {state}, and others with {first}");
                self.notes.lock().expect("no panic while held").stale_data.push(text);
            }
        }
    }

    /// On a trace without faults all arms must reach the same state. In a closed loop each arm decides
    /// how many come, and states are nobody's promise.
    async fn compare_final_states(&self, arms: &[Arc<Arm>], round: u32) {
        let scenario = &self.options.scenario;
        let must_agree = scenario.steps.is_empty() && scenario.load.model == Model::Open;
        let states = finish::final_states(arms, &self.environment.control, must_agree).await;
        for (arm, state) in &states {
            if let Some(Some(audit)) = self.record.query(|tally| tally.audit_of(*arm, round).cloned()) {
                let audit = record::Audit { state_digest: Some(state.clone()), ..audit };
                self.record.append(Entry::Audit(audit));
            }
        }
        let mut known = self.final_states.lock().expect("no panic while held");
        for (letter, state) in &states {
            // A variant may keep other things on purpose, such as longer timelines.
            let arm = arms.iter().find(|arm| arm.plan.letter == *letter);
            let shape =
                arm.and_then(|arm| serde_json::to_string(&arm.plan.config.services).ok()).unwrap_or_default();
            let first = known.entry(shape).or_insert_with(|| state.clone());
            if must_agree && state != first {
                let text = format!("the same load left {first} first, and {state} in {letter}");
                self.notes.lock().expect("no panic while held").states_differ = Some(text);
            }
        }
    }

    fn judge(self, tracing: Tracing) -> RunOutcome {
        let mut notes = self.notes.into_inner().expect("no panic while held");
        let interrupted = *self.interrupts.borrow() > 0;
        let log = std::mem::take(&mut *self.log.lock().expect("no panic while held"));
        notes.unhit.extend(finish::steps_without_hits(&self.options.scenario, &self.record, &log));
        notes.left_behind.extend(log.not_cleaned_up);
        notes.withheld.extend(log.withheld);
        notes.degraded.extend(log.degraded.into_iter().map(|((step, _), reason)| (step, reason)));
        self.environment.guardian.close();
        let end = finish::conclude(&self.options.scenario, &self.record, &notes, interrupted, tracing);
        let outcome =
            RunOutcome { verdict: end.verdict, exit_code: end.exit_code, folder: self.folder.clone() };
        self.record.append(Entry::End(Box::new(end)));
        outcome
    }
}

/// Waits until what is watched is so, or nobody is left to change it. What
/// `wait_for` returns is a lock, and a branch of a `select!` holds it until the
/// branch is done: a sender would wait for us, and we for it.
async fn until<T>(watched: &mut watch::Receiver<T>, holds: impl FnMut(&T) -> bool) {
    let _ = watched.wait_for(holds).await;
}
