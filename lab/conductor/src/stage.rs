//! The course of a run: arms come up, the load is offered, steps are played, figures are taken.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contract::ProcessPlan;
use loadgen::{Message, Plan, Summary, Target};
use node::NodeConfig;
use record::{Entry, EventKind, Header, Verdict};
use runtime::clock;
use scorecard::{Circumstances, judge};
use tokio::sync::watch;

use crate::arm::{Arm, ArmPlan, Ground};
use crate::lines::Lines;
use crate::load::Generator;
use crate::run::{Interrupts, Order, Outcome, Run, RunError, level, secret};
use crate::sample::{ArmTotals, Bystander, Sampler, totals};
use crate::seed::Seeded;
use crate::timeline::{self, Hits};
use crate::{finish, procfs};

/// The load begins this long after everybody is ready: time for the word to arrive.
const LEAD: Duration = Duration::from_millis(250);
/// Longest run whatever a scenario says.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Available memory below which every run stops, share of all.
const LEAST_MEMORY: f64 = 0.10;

/// One arm as planned.
#[derive(Clone)]
struct Planned {
    letter: char,
    topology: String,
    processes: Vec<ProcessPlan>,
    plan: ArmPlan,
}

/// A run that has a stage to play on.
pub(crate) struct Stage {
    order: Order,
    id: String,
    folder: PathBuf,
    lines: Lines,
    interrupts: Interrupts,
    ground: Ground,
    token: String,
    secret: String,
    hits: Hits,
    notes: Mutex<Circumstances>,
}

impl Stage {
    pub(crate) fn new(run: Run, ground: Ground, token: String) -> Self {
        let Run { order, id, folder, lines, interrupts } = run;
        let notes = Circumstances { interleaved: order.rounds > 1, ..Circumstances::default() };
        Self {
            order,
            id,
            folder,
            lines,
            interrupts,
            ground,
            token,
            secret: secret("identity"),
            hits: Hits::default(),
            notes: Mutex::new(notes),
        }
    }

    pub(crate) async fn play(self) -> Result<Outcome, RunError> {
        let load = self.order.scenario.load.clone();
        let seed = self.order.seed;
        let seeded = runtime::blocking(move || Seeded::generate(seed, &load)).await;
        let planned = self.plan_arms(&seeded)?;
        let result = if self.order.rounds > 1 {
            self.interleaved(&planned, &seeded).await
        } else {
            self.side_by_side(&planned, &seeded).await
        };
        result?;
        Ok(self.judge())
    }

    fn interrupted(&self) -> bool {
        *self.interrupts.borrow() > 0
    }

    fn plan_arms(&self, seeded: &Seeded) -> Result<Vec<Planned>, RunError> {
        let scenario = &self.order.scenario;
        let chosen: Vec<&(String, contract::Placement)> = if self.order.arms.is_empty() {
            scenario.topologies.iter().collect()
        } else {
            // In the order asked for: the first is A.
            let find = |arm: &String| scenario.topologies.iter().find(|(name, _)| name == arm);
            self.order.arms.iter().filter_map(find).collect()
        };
        let components = suite::components();
        let mut planned = Vec::new();
        for (index, (name, placement)) in chosen.into_iter().enumerate() {
            let processes = placement.resolve(&components).map_err(|errors| {
                let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
                RunError::UnknownArm(format!("topology `{name}`: {}", text.join("; ")))
            })?;
            let letter = char::from(b'A' + u8::try_from(index).unwrap_or(25).min(25));
            let folder = self.folder.join(name);
            let config = NodeConfig {
                run_id: self.id.clone(),
                scenario: scenario.name.clone(),
                arm: name.clone(),
                topology: name.clone(),
                processes: processes.clone(),
                carrier: placement.carrier,
                data: folder.join("data"),
                secret: self.secret.clone(),
                token: self.token.clone(),
                policies: scenario.policy_table(),
                knobs: component::site::Knobs {
                    push_below: scenario.load.feed.push_below,
                    feed_depth: scenario.load.feed.depth,
                    ..component::site::Knobs::default()
                },
                telemetry: level(scenario.telemetry),
                otlp: telemetry::otlp_endpoint_from_env(),
                seed: self.order.seed,
                ..NodeConfig::default()
            };
            let plan = ArmPlan {
                letter,
                name: name.clone(),
                processes: processes.clone(),
                restart: placement.restart,
                config,
                folder,
                probes: seeded.probes(),
            };
            planned.push(Planned { letter, topology: name.clone(), processes, plan });
        }
        Ok(planned)
    }

    /// Puts fresh data where an arm expects it.
    async fn lay_data(&self, planned: &Planned, seeded: &Seeded) -> Result<(), RunError> {
        let snapshots = self.order.out.join(".snapshots");
        let snapshot = seeded.snapshot(&snapshots, &planned.processes).await?;
        let data = planned.plan.config.data.clone();
        let wrong = |source| RunError::Folder { path: data.clone(), source };
        if data.exists() {
            std::fs::remove_dir_all(&data).map_err(wrong)?;
        }
        storage::snapshot::restore(&snapshot, &data).map_err(wrong)
    }

    async fn start(&self, planned: &Planned) -> Result<(Arc<Arm>, u64), RunError> {
        let began = clock::now();
        let arm = Arm::start(&self.ground, planned.plan.clone(), &self.lines).await?;
        let ready_ms = u64::try_from(clock::now().saturating_duration_since(began).as_millis()).unwrap_or(0);
        Ok((Arc::new(arm), ready_ms))
    }

    async fn end(&self, arms: Vec<Arc<Arm>>) {
        for arm in arms {
            match Arc::try_unwrap(arm) {
                Ok(arm) => {
                    let left = arm.end(&self.ground).await;
                    let mut notes = self.notes.lock().expect("no panic while held");
                    notes.left_behind.extend(left.into_iter().map(|name| format!("{name} is still running")));
                }
                // Somebody still looks at it: that would be a defect of ours, and the lifeline ends it.
                Err(arm) => {
                    self.lines.event(EventKind::Log, 0, format!("arm {} was still in use", arm.plan.name))
                }
            }
        }
    }

    /// All arms at the same moment, every arrival offered to all.
    async fn side_by_side(&self, planned: &[Planned], seeded: &Seeded) -> Result<(), RunError> {
        for arm in planned {
            self.lay_data(arm, seeded).await?;
        }
        let started = futures_util::future::join_all(planned.iter().map(|arm| self.start(arm))).await;
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
            self.end(arms).await;
            return Err(error);
        }
        let described: Vec<record::Arm> = planned
            .iter()
            .zip(&arms)
            .zip(&ready)
            .map(|((planned, arm), ready_ms)| arm.describe(&planned.topology, *ready_ms))
            .collect();
        let result = self.block(&arms, seeded, 1, Some(described)).await;
        self.end(arms).await;
        result
    }

    /// Arms one after another, in balanced order, each from fresh data.
    async fn interleaved(&self, planned: &[Planned], seeded: &Seeded) -> Result<(), RunError> {
        let mut described: Option<Vec<record::Arm>> = Some(Vec::new());
        for round in 1..=self.order.rounds {
            for index in order_of(round, planned.len()) {
                if self.interrupted() {
                    return Ok(());
                }
                let arm = &planned[index];
                self.lay_data(arm, seeded).await?;
                let (running, ready_ms) = self.start(arm).await?;
                let header = described.take().map(|_| {
                    let describe = |other: &Planned| {
                        if other.letter == arm.letter {
                            running.describe(&other.topology, ready_ms)
                        } else {
                            outline(other)
                        }
                    };
                    planned.iter().map(describe).collect()
                });
                let arms = vec![running];
                let result = self.block(&arms, seeded, round, header).await;
                self.end(arms).await;
                result?;
            }
        }
        Ok(())
    }

    /// One load on some arms. The first block of a run writes the header.
    async fn block(
        &self,
        arms: &[Arc<Arm>],
        seeded: &Seeded,
        round: u32,
        header: Option<Vec<record::Arm>>,
    ) -> Result<(), RunError> {
        let ready_ms = self.lines.now() / 1_000_000;
        let plan = self.load_plan(arms, round);
        let mut generator = Generator::start(&self.ground, &plan, &self.folder).await?;
        if self.interrupted() {
            return Err(RunError::Interrupted);
        }
        let start = clock::now() + LEAD;
        let load_start_ns = self.lines.now() + u64::try_from(LEAD.as_nanos()).unwrap_or(0);
        if let Some(described) = header {
            let header = self.header(described, seeded, &generator, ready_ms, load_start_ns);
            self.lines.say(Entry::Header(Box::new(header)));
        }
        generator.begin(clock::mono_ns() + u64::try_from(LEAD.as_nanos()).unwrap_or(0));
        let bystanders = [
            Bystander { name: "generator".into(), pid: generator.pid() },
            Bystander { name: "cleave".into(), pid: std::process::id() },
        ];
        let (done, over) = watch::channel(false);
        let costs = Mutex::new(Vec::new());
        let playing = async {
            tokio::join!(
                timeline::play(
                    &self.order.scenario.steps,
                    arms,
                    self.order.seed,
                    start,
                    &self.ground.asker,
                    &self.lines,
                    &self.hits
                ),
                self.phases(arms, round, start, &costs),
            )
        };
        let sampling = self.sample(arms, &bystanders, over.clone());
        let listening = self.listen(&mut generator, start, done);
        let mut over_for_play = over.clone();
        let playing = async {
            tokio::select! {
                _ = playing => {}
                // Cut short: steps still to come are not played, lasting ones lapse by themselves.
                _ = over_for_play.wait_for(|over| *over) => {}
            }
        };
        let (summary, (), ()) = tokio::join!(listening, playing, sampling);
        let ended = generator.ended().await;
        self.note_generator(summary.as_deref(), &ended);
        self.say_costs(round, costs.into_inner().expect("no panic while held"));
        if !self.interrupted() {
            self.compare_states(arms).await;
        }
        Ok(())
    }

    fn load_plan(&self, arms: &[Arc<Arm>], round: u32) -> Plan {
        let scenario = &self.order.scenario;
        let timeout_us = u64::try_from(scenario.load.timeout.duration().as_micros()).unwrap_or(u64::MAX);
        let good = scenario
            .load
            .good_within
            .map_or(timeout_us, |good| u64::try_from(good.duration().as_micros()).unwrap_or(u64::MAX));
        Plan {
            run_id: self.id.clone(),
            seed: self.order.seed,
            round,
            phases: scenario.plan(),
            load: scenario.load.clone(),
            arms: arms
                .iter()
                .map(|arm| Target {
                    letter: arm.plan.letter,
                    name: arm.plan.name.clone(),
                    url: format!("http://{}", arm.public),
                })
                .collect(),
            secret: self.secret.clone(),
            log: self.folder.join("generator.log"),
            good_within_us: good,
            timeout_us,
            audit: true,
            sample: level(scenario.telemetry).ratio(),
            workers: 2,
        }
    }

    fn header(
        &self,
        arms: Vec<record::Arm>,
        seeded: &Seeded,
        generator: &Generator,
        ready_ms: u64,
        load_start_ns: u64,
    ) -> Header {
        let scenario = &self.order.scenario;
        let plan = finish::expectations(scenario);
        let schedule =
            traffic::Schedule::new(self.order.seed, &scenario.plan(), &scenario.load, &seeded.data);
        let digest = schedule.digest();
        if digest != generator.digest {
            let text = format!("the generator offers schedule {}, planned was {digest}", generator.digest);
            self.notes.lock().expect("no panic while held").generator.push(text);
        }
        Header {
            schema_version: record::SCHEMA_VERSION,
            run_id: self.id.clone(),
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            why: scenario.why.clone(),
            scenario_text: scenario.source.text.clone(),
            seed: self.order.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.order.command.clone(),
            wall_us: clock::wall_us() - i64::try_from(self.lines.now() / 1_000).unwrap_or(0),
            way: if self.order.rounds > 1 { "interleaved" } else { "side by side" }.to_owned(),
            rounds: self.order.rounds,
            machine: procfs::machine(),
            steps: finish::steps(scenario, &arms),
            arms,
            phases: scenario.plan(),
            journeys: finish::journeys(scenario),
            expectations: plan,
            schedule_digest: digest,
            planned: generator.planned,
            good_within_us: self.load_plan(&[], 1).good_within_us,
            load_start_ns,
            ready_ms,
            telemetry: level(scenario.telemetry).to_string(),
        }
    }

    /// Says when phases begin, and takes the arms' cumulative figures at their bounds.
    async fn phases(&self, arms: &[Arc<Arm>], round: u32, start: Instant, costs: &Mutex<Vec<CostOf>>) {
        let letters: String = arms.iter().map(|arm| arm.plan.letter).collect();
        let plan = self.order.scenario.plan();
        let mut before: Option<Vec<ArmTotals>> = None;
        for (index, phase) in plan.iter().enumerate() {
            tokio::time::sleep_until((start + Duration::from_nanos(phase.start_ns)).into()).await;
            self.lines.say(Entry::Phase(record::Phase {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                name: phase.name.clone(),
                round,
                arms: letters.clone(),
            }));
            let now = self.all_totals(arms).await;
            if let (Some(before), Some(last)) = (before.replace(now.clone()), index.checked_sub(1)) {
                note_costs(costs, arms, &plan[last].name, &before, &now);
            }
        }
        if let (Some(before), Some(last)) = (before, plan.last()) {
            tokio::time::sleep_until((start + Duration::from_nanos(last.start_ns + last.length_ns)).into())
                .await;
            let now = self.all_totals(arms).await;
            note_costs(costs, arms, &last.name, &before, &now);
        }
    }

    async fn all_totals(&self, arms: &[Arc<Arm>]) -> Vec<ArmTotals> {
        futures_util::future::join_all(arms.iter().map(|arm| totals(arm, &self.ground.asker))).await
    }

    async fn sample(&self, arms: &[Arc<Arm>], bystanders: &[Bystander], mut over: watch::Receiver<bool>) {
        let mut sampler = Sampler::new(&self.lines);
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = tick.tick() => sampler.sample(arms, bystanders, &self.ground.asker, &self.lines).await,
                _ = over.wait_for(|over| *over) => {
                    sampler.sample(arms, bystanders, &self.ground.asker, &self.lines).await;
                    return;
                }
            }
        }
    }

    /// Writes what the generator says until it has said everything; cuts it
    /// short on Ctrl-C, on a stop condition, or when the time is up.
    async fn listen(
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
        let load_ends = start + Duration::from_nanos(self.order.scenario.length_ns());
        loop {
            let message = tokio::select! {
                message = generator.next() => message,
                _ = interrupts.wait_for(|count| *count > 0), if !cancelled => {
                    cancelled = true;
                    self.lines.event(EventKind::Log, 0, "interrupted: ending in order");
                    generator.cancel();
                    continue;
                }
                _ = look.tick() => {
                    if clock::now() >= load_ends {
                        done.send_replace(true);
                    }
                    if !cancelled && let Some(reason) = self.stop_reason(start) {
                        cancelled = true;
                        self.lines.event(EventKind::Log, 0, format!("stopped: {reason}"));
                        self.notes.lock().expect("no panic while held").generator.push(format!("the run was stopped: {reason}"));
                        generator.cancel();
                    }
                    continue;
                }
            };
            match message {
                Some(Message::Window(window)) => self.lines.say(Entry::Window(window)),
                Some(Message::Audit(audit)) => self.lines.say(Entry::Audit(audit)),
                Some(Message::Summary(said)) => summary = Some(said),
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

    /// Why the run must stop now, if it must.
    fn stop_reason(&self, start: Instant) -> Option<String> {
        let stop = &self.order.scenario.stop;
        let limit = if stop.max_ns == 0 { LONGEST } else { Duration::from_nanos(stop.max_ns).min(LONGEST) };
        let running = clock::now().saturating_duration_since(start);
        if running > limit {
            return Some(format!("longer than {}s", limit.as_secs()));
        }
        let host = procfs::host();
        let all = procfs::machine().memory_mib;
        if all > 0 && (host.memory_available_mib as f64) < LEAST_MEMORY * all as f64 {
            return Some(format!("{} MiB of memory are left", host.memory_available_mib));
        }
        let holds = |condition: &scorecard::Expectation| {
            let checks = self.lines.ask(|tally| judge::checks(tally, 0, condition)).unwrap_or_default();
            checks.iter().any(|check| check.verdict == Verdict::Pass).then(|| condition.text.clone())
        };
        stop.when.iter().find_map(holds)
    }

    fn note_generator(&self, summary: Option<&Summary>, ended: &str) {
        let mut notes = self.notes.lock().expect("no panic while held");
        let Some(summary) = summary else {
            notes.generator.push(format!("the load generator ended without a summary: {ended}"));
            return;
        };
        notes.generator.extend(summary.faults.iter().cloned());
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

    /// Costs become lines once all windows are final: they are per journey.
    fn say_costs(&self, round: u32, costs: Vec<CostOf>) {
        for CostOf { arm, phase, totals } in costs {
            let window = scorecard::expect::Window::Phase(phase.clone());
            let journeys = self
                .lines
                .ask(|tally| {
                    let stretch = scorecard::tally::Stretch { round, seconds: tally.seconds(&window) };
                    tally.sum(arm, &stretch, "all", |window| window.sent)
                })
                .unwrap_or(0);
            let hops = if journeys > 0 { totals.requests as f64 / journeys as f64 } else { 0.0 };
            self.lines.say(Entry::Cost(Box::new(record::Cost {
                arm,
                round,
                phase,
                journeys,
                hops,
                cpu_total_ns: totals.cpu_total_ns,
                cpu_parts_ns: totals.cpu_parts_ns,
                wall_parts_ns: totals.wall_parts_ns,
                billed: totals.billed,
            })));
        }
    }

    /// On a trace without faults all arms must reach the same state.
    async fn compare_states(&self, arms: &[Arc<Arm>]) {
        let states = finish::states(arms, &self.ground.asker, self.order.scenario.steps.is_empty()).await;
        for (arm, state) in &states {
            if let Some(Some(audit)) = self.lines.ask(|tally| tally.audit(*arm).cloned()) {
                let audit = record::Audit { state_digest: Some(state.clone()), ..audit };
                self.lines.say(Entry::Audit(audit));
            }
        }
        let mut digests = states.values();
        let first = digests.next();
        if self.order.scenario.steps.is_empty() && digests.any(|other| Some(other) != first) {
            let text = format!("the same load left different states: {states:?}");
            self.notes.lock().expect("no panic while held").states_differ = Some(text);
        }
    }

    fn judge(self) -> Outcome {
        let mut notes = self.notes.into_inner().expect("no panic while held");
        let interrupted = *self.interrupts.borrow() > 0;
        notes.unhit.extend(finish::unhit(&self.order.scenario, &self.lines, &self.hits));
        let end = finish::conclude(&self.order.scenario, &self.lines, &notes, interrupted);
        let outcome = Outcome { verdict: end.verdict, exit_code: end.exit_code, folder: self.folder.clone() };
        self.lines.say(Entry::End(Box::new(end)));
        outcome
    }
}

/// What a phase cost an arm.
struct CostOf {
    arm: char,
    phase: String,
    totals: ArmTotals,
}

fn note_costs(
    costs: &Mutex<Vec<CostOf>>,
    arms: &[Arc<Arm>],
    phase: &str,
    before: &[ArmTotals],
    now: &[ArmTotals],
) {
    let mut costs = costs.lock().expect("no panic while held");
    for ((arm, before), now) in arms.iter().zip(before).zip(now) {
        costs.push(CostOf { arm: arm.plan.letter, phase: phase.to_owned(), totals: now.since(before) });
    }
}

/// The order of arms in a round: two arms ABBA AB .., more a Latin square
/// ABC BCA CAB, so that no arm is always first.
fn order_of(round: u32, arms: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..arms).collect();
    if arms == 2 {
        if round.is_multiple_of(2) {
            order.reverse();
        }
    } else {
        order.rotate_left((round as usize - 1) % arms.max(1));
    }
    order
}

/// An arm that has not been started: what is known from its plan.
fn outline(planned: &Planned) -> record::Arm {
    let (local_edges, remote_edges) = suite::catalogue::edges(&planned.processes);
    let copies =
        planned.processes.iter().flat_map(|process| (0..process.replicas).map(move |copy| (process, copy)));
    let instances: Vec<record::Instance> = copies
        .map(|(process, copy)| record::Instance {
            name: format!("{}#{copy}", process.name),
            hosts: process.hosts.iter().map(ToString::to_string).collect(),
            port: 0,
            public_port: process.gateway.then_some(0),
        })
        .collect();
    let databases = planned.processes.iter().filter(|process| !process.hosts.is_empty()).count();
    record::Arm {
        letter: planned.letter,
        name: planned.plan.name.clone(),
        topology: planned.topology.clone(),
        variant: String::new(),
        config_keys: planned.plan.config.keys() * u32::try_from(instances.len()).unwrap_or(u32::MAX),
        instances,
        local_edges,
        remote_edges,
        databases: u32::try_from(databases).unwrap_or(u32::MAX),
        ready_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_balanced() {
        assert_eq!((order_of(1, 2), order_of(2, 2)), (vec![0, 1], vec![1, 0]));
        let square: Vec<_> = (1..=3).map(|round| order_of(round, 3)).collect();
        assert_eq!(square, [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1]]);
    }
}
