//! One load on some arms: steps are played, phases noted and figures sampled while the generator sends.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::Method;
use load_protocol::{ArmEndpoint, Message, Summary};
use model::delays::OF_NETWORK;
use record::{Entry, MachineSpeed};
use runtime::clock;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use traffic::load::Model;

use crate::arm::Arm;
use crate::observe::sampling::{AuxiliaryProcess, Sampler};
use crate::process::usage;
use crate::run::generator::Generator;
use crate::run::header::{self, LoadStart};
use crate::run::options::RunError;
use crate::run::phases::{self, Phases};
use crate::run::schedules::Schedules;
use crate::run::search::{LoadRequest, MAX_REQUESTS};
use crate::run::session::{GENERATOR_TASK, RunSession};
use crate::run::states::{ArmStates, StateComparison, arm_states};
use crate::run::stop::stop_reason;
use crate::steps::context::StepContext;
use crate::steps::held::HoldTimer;
use crate::steps::lease::{delays_of, remaining_leases};
use crate::steps::timeline::Timeline;

/// The load begins this long after all arms are ready: time for the start command to reach the generator.
const START_LEAD: Duration = Duration::from_millis(250);
/// The same where arms run for the first time: two seconds in which they are at rest, and the samples of what that costs.
const REST_LEAD: Duration = Duration::from_millis(2_500);
/// The load of a run whose arms are looked at while they are at rest, over all rounds: in a shorter one the CPU that a
/// journey adds has no interval worth the wait.
const LOAD_WORTH_A_REST: Duration = Duration::from_secs(15);
/// Time for a node to forget what it was asked before the load, on a busy machine as well: a run of one that has not is invalid.
const RESET_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest audit, which is of all arms at once: the generator's own limit is a minute, after which the request that it waits for
/// may time out.
const AUDIT_LIMIT: Duration = Duration::from_secs(90);
/// How often figures are sampled and stop conditions judged.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// One load on some arms.
pub(crate) struct Block<'a> {
    pub session: &'a RunSession,
    pub arms: &'a [Arc<Arm>],
    pub round: u32,
    pub states: &'a StateComparison,
    pub schedules: &'a Schedules,
    /// How fast the machine was before the run.
    pub speed: Option<MachineSpeed>,
}

impl Block<'_> {
    /// Offers the load to its end. The first block of a run writes the header, with the arms as `described`.
    pub async fn run(&self, described: Option<Vec<record::Arm>>) -> Result<(), RunError> {
        let session = self.session;
        // Before the trial, whose events may still travel.
        self.compare_initial_states().await;
        let load = session.plan().load(self.arms.iter().map(|arm| load_target(arm)).collect(), self.round);
        let environment = &session.environment;
        session.begin_task(GENERATOR_TASK, "tries every journey on every arm");
        let asked_at = clock::now();
        let mut generator =
            Generator::start(&environment.spawner, &environment.program, &load, &session.folder).await?;
        session.finish_task(GENERATOR_TASK, "every journey was tried on every arm", asked_at);
        if session.is_interrupted() {
            return Err(RunError::Interrupted);
        }
        self.forget_trial().await;
        session.note(|notes| notes.unready.append(&mut generator.unready));
        let ready_ms = session.record.now() / 1_000_000;
        // One instant on three clocks: the conductor's, the generator's, the record's.
        let lead = self.lead();
        let lead_ns = u64::try_from(lead.as_nanos()).unwrap_or(0);
        let (start, start_mono_ns) = (clock::now() + lead, clock::mono_ns() + lead_ns);
        let now_ns = session.record.now();
        let load_start_ns = now_ns + lead_ns;
        if let Some(described) = described {
            let collector = session.collector.as_ref().and_then(|collector| collector.sends_on_to());
            let (schedules, speed) = (self.schedules, self.speed);
            let start = LoadStart { schedules, ready_ms, load_start_ns, now_ns, collector, speed };
            self.append_header(described, &start);
        }
        let mismatch = self.schedules.mismatch(self.round, &generator.digest);
        session.note(|notes| notes.generator.extend(mismatch));
        if let Some(collector) = &session.collector {
            let arms: Vec<char> = self.arms.iter().map(|arm| arm.plan.letter).collect();
            collector.begin(self.round, &arms, start, load_start_ns);
        }
        generator.start_load(start_mono_ns);
        let unsuccessful = self.play(generator, start).await;
        if !session.is_interrupted() {
            self.compare_final_states(unsuccessful).await;
        }
        self.record_delays().await;
        self.confirm_clean().await;
        Ok(())
    }

    /// From ready to the first arrival.
    fn lead(&self) -> Duration {
        let options = &self.session.options;
        let load = Duration::from_nanos(options.scenario.length_ns()) * options.rounds;
        if self.round == 1 && load >= LOAD_WORTH_A_REST { REST_LEAD } else { START_LEAD }
    }

    fn append_header(&self, described: Vec<record::Arm>, start: &LoadStart<'_>) {
        let session = self.session;
        let header = header::header(&session.plan(), described, start);
        session.note(|notes| notes.skewed.clone_from(&start.schedules.skewed));
        session.record.append(Entry::Header(Box::new(header)));
        for note in &session.options.notes {
            session.log(note.clone());
        }
    }

    /// Plays steps and phases and samples until the generator has ended. Returns the arrivals of all arms that did not
    /// succeed.
    async fn play(&self, mut generator: Generator, start: Instant) -> u64 {
        let session = self.session;
        let auxiliary = [
            AuxiliaryProcess { name: "generator".into(), pid: generator.pid() },
            AuxiliaryProcess { name: "cleave".into(), pid: std::process::id() },
        ];
        let context = StepContext {
            seed: session.options.seed,
            load_start: start,
            record: &session.record,
            log: &session.step_log,
        };
        let timeline = Timeline::new(&session.options.scenario, self.arms, context, &session.environment);
        let plan = session.options.scenario.plan();
        let further = &session.options.scenario.offered_phases()[plan.len()..];
        let phases = Phases {
            plan: &plan,
            further,
            arms: self.arms,
            round: self.round,
            start,
            record: &session.record,
            control: &session.environment.control,
        };
        let costs = Mutex::new(Vec::new());
        let (done, over) = watch::channel(false);
        let (requests, requested) = mpsc::channel(MAX_REQUESTS);
        let phases = async {
            phases.run(&costs).await;
            phases.search(requests, &costs).await;
        };
        let playing = async { tokio::join!(timeline.run(), phases) };
        let mut over_for_steps = over.clone();
        let playing = async {
            tokio::select! {
                _ = playing => {}
                // Cut short: steps still to come are not played, lasting ones lapse by themselves.
                () = until(&mut over_for_steps, |over| *over) => {}
            }
        };
        let following = self.follow_generator(&mut generator, start, requested, done);
        let (summary, (), ()) = tokio::join!(following, playing, self.sample(&auxiliary, start, over));
        let ended = generator.wait().await;
        let reported = generator_notes(summary.as_deref(), &ended, |letter| self.name_of(letter));
        session.note(|notes| notes.generator.extend(reported));
        let costs = costs.into_inner().expect("no panic while held");
        phases::append_costs(&session.record, self.round, costs);
        summary.map_or(0, |summary| {
            summary.arms.values().map(|totals| totals.offered.saturating_sub(totals.ok)).sum()
        })
    }

    /// Samples at once, as each second of the load ends, and once more when the load is over. What is read between two seconds
    /// would be shared out between them by time: of the last second, what was spent in it among what came after the load.
    async fn sample(&self, auxiliary: &[AuxiliaryProcess], start: Instant, mut over: watch::Receiver<bool>) {
        let session = self.session;
        let mut sampler = Sampler::new(&session.record);
        let mut interval = tokio::time::interval_at(next_second(start, clock::now()).into(), SAMPLE_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut is_over = false;
        loop {
            let arms: Vec<_> = self.arms.iter().map(|arm| arm.sampled()).collect();
            sampler.sample(&arms, auxiliary, &session.environment.control, &session.record).await;
            if is_over {
                break;
            }
            tokio::select! {
                _ = interval.tick() => {}
                () = until(&mut over, |over| *over) => is_over = true,
            }
        }
    }

    /// Records what the generator reports until it has ended, and passes on what a search requests of it; cuts it short on
    /// Ctrl-C, on a stop condition, or when the time is up.
    async fn follow_generator(
        &self,
        generator: &mut Generator,
        start: Instant,
        mut requested: mpsc::Receiver<LoadRequest>,
        done: watch::Sender<bool>,
    ) -> Option<Box<Summary>> {
        let session = self.session;
        let scenario = &session.options.scenario;
        let mut interrupts = session.interrupts.clone();
        let mut summary = None;
        let mut cancelled = false;
        let mut interval = tokio::time::interval(SAMPLE_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut held = vec![HoldTimer::default(); scenario.stop.when.len()];
        let last = scenario.offered_phases().pop();
        let load_ends = start + Duration::from_nanos(last.map_or(0, |last| last.start_ns + last.length_ns));
        // What is in flight is finished after the load, and what was acknowledged is looked for.
        let end_limit = Duration::from_nanos(scenario.load.timeout.nanos()) + AUDIT_LIMIT;
        let mut killed_at = load_ends + end_limit;
        loop {
            let message = tokio::select! {
                message = generator.next_message() => message,
                () = until(&mut interrupts, |count| *count > 0), if !cancelled => {
                    cancelled = true;
                    killed_at = killed_at.min(clock::now() + end_limit);
                    session.log("interrupted: ending in order");
                    generator.cancel();
                    continue;
                }
                Some(request) = requested.recv() => {
                    match request {
                        LoadRequest::Further => generator.offer_further(),
                        LoadRequest::End => {
                            generator.end_load();
                            done.send_replace(true);
                        }
                    }
                    continue;
                }
                _ = interval.tick() => {
                    if clock::now() >= load_ends {
                        done.send_replace(true);
                    }
                    let mut reason =
                        || stop_reason(&scenario.stop, &mut held, &session.record, &session.folder, start);
                    if clock::now() >= killed_at {
                        session.note(|notes| notes.generator.push(format!("it had not ended {end_limit:?} after its load and was killed")));
                        generator.kill();
                        killed_at += end_limit;
                    }
                    if !cancelled && let Some(reason) = reason() {
                        cancelled = true;
                        killed_at = killed_at.min(clock::now() + end_limit);
                        session.log(format!("stopped: {reason}"));
                        session.note(|notes| notes.generator.push(format!("the run was stopped: {reason}")));
                        generator.cancel();
                    }
                    continue;
                }
            };
            let Some(message) = message else {
                done.send_replace(true);
                return summary;
            };
            match message {
                Message::Window(window) => session.record.append(Entry::Window(window.into())),
                Message::Traced { journeys } => {
                    if let Some(collector) = &session.collector {
                        collector.traced(journeys);
                    }
                }
                Message::Audit(audit) => session.record.append(Entry::Audit(audit)),
                Message::Summary(totals) => summary = Some(totals),
                Message::Failed { reason } => session.note(|notes| notes.generator.push(reason)),
                Message::Hello { .. } | Message::Ready { .. } | Message::Started => {}
            }
        }
    }

    /// Puts caches as they are declared and closes breakers: what the trial and a start left of them is not the load's.
    async fn forget_trial(&self) {
        let control = &self.session.environment.control;
        for arm in self.arms {
            for instance in arm.instances() {
                let Some(listen) = instance.status().listen else { continue };
                let answer = control.request(listen, Method::POST, "/control/reset", "", RESET_TIMEOUT).await;
                if !matches!(&answer, Ok((status, _)) if status.is_success()) {
                    let text =
                        format!("{}/{} did not reset its caches and breakers", arm.plan.name, instance.name);
                    self.session.note(|notes| notes.unready.push(text));
                }
            }
        }
    }

    /// Every arm begins every round with the same data, whatever was there before (trap T7).
    async fn compare_initial_states(&self) {
        let initial = arm_states(self.arms, &self.session.environment.control, false).await;
        for (letter, state) in initial.states {
            let difference = self.states.initial(self.name_of(letter), self.round, &state);
            self.session.note(|notes| notes.stale_data.extend(difference));
        }
    }

    /// Without steps all arms must reach the same state. In a closed loop each arm decides how many users come, in an
    /// overload which of them are served, and states may differ. Where journeys did not succeed, or events are still under way, a difference proves nothing.
    async fn compare_final_states(&self, unsuccessful: u64) {
        let session = self.session;
        let scenario = &session.options.scenario;
        // Rates beyond the declared ones go up to where an arm fails, which is no news of its writes.
        let went_on = session.record.query(|run| run.header.phases.iter().any(|phase| run.is_further(phase)));
        let may_fail = unsuccessful > 0 && went_on == Some(true);
        let must_agree = scenario.steps.is_empty()
            && scenario.load.overloaded.is_empty()
            && scenario.load.model == Model::Open
            && !may_fail;
        let unsuccessful = self.states.add_unsuccessful(self.round, unsuccessful);
        let ArmStates { states, is_settled } =
            arm_states(self.arms, &session.environment.control, must_agree).await;
        for (arm, state) in &states {
            let audit = session.record.query(|run| run.audit_of(*arm, self.round).cloned()).flatten();
            if let Some(audit) = audit {
                let audit = record::Audit { state_digest: Some(state.clone()), ..audit };
                session.record.append(Entry::Audit(audit));
            }
        }
        for (letter, state) in &states {
            let arm = self.arms.iter().find(|arm| arm.plan.letter == *letter);
            let services = arm.map(|arm| &arm.plan.config.services);
            let configuration = serde_json::to_string(&services).unwrap_or_default();
            let difference = self.states.last(self.name_of(*letter), self.round, configuration, state);
            let Some(difference) = difference.filter(|_| must_agree) else { continue };
            session.note(|notes| match (unsuccessful, is_settled) {
                (0, true) => notes.states_differ = Some(difference),
                (0, false) => {
                    notes.states_unclear = Some(format!("events were still under way, and {difference}"));
                }
                (count, _) => {
                    notes.states_unclear =
                        Some(format!("{count} journeys did not succeed, and {difference}"));
                }
            });
        }
    }

    fn name_of(&self, letter: char) -> &str {
        let arm = self.arms.iter().find(|arm| arm.plan.letter == letter);
        arm.map_or("an arm", |arm| arm.plan.name.as_str())
    }

    /// Writes how long injected delays took, those of steps and those of the declared network.
    async fn record_delays(&self) {
        let session = self.session;
        for arm in self.arms {
            let counted = delays_of(arm, &session.environment.control).await;
            let mut delays = arm.servers().delays();
            let steps = session.options.scenario.steps.iter();
            let of_steps = steps.filter_map(|step| Some((step.number, counted.of_leases.get(&step.id)?)));
            for (step, of_processes) in of_steps.chain([(OF_NETWORK, &counted.of_network)]) {
                delays.entry(step).or_default().merge(of_processes);
            }
            for (step, delays) in &delays {
                session.record.append_delays(arm.plan.letter, self.round, *step, delays);
            }
        }
    }

    /// After the load no effect of a step may be left.
    async fn confirm_clean(&self) {
        let mut left = Vec::new();
        for arm in self.arms {
            left.extend(remaining_leases(arm, &self.session.environment.control).await);
            for instance in arm.instances() {
                if usage::state(instance.status().pid) == Some('T') {
                    left.push(format!("{}/{} is stopped", arm.plan.name, instance.name));
                }
            }
        }
        // Cut short, leases lapse by themselves, and the processes end now.
        if !self.session.is_interrupted() {
            self.session.note(|notes| notes.left_behind.extend(left));
        }
    }
}

fn load_target(arm: &Arm) -> ArmEndpoint {
    ArmEndpoint {
        letter: arm.plan.letter,
        name: arm.plan.name.clone(),
        url: format!("http://{}", arm.public),
    }
}

/// The next moment that is whole seconds before or after a start.
fn next_second(start: Instant, now: Instant) -> Instant {
    match start.checked_duration_since(now) {
        Some(lead) => start - Duration::from_secs(lead.as_secs()),
        None => start + Duration::from_secs((now - start).as_secs() + 1),
    }
}

/// What the verdict must know of the generator.
fn generator_notes<'a>(
    summary: Option<&Summary>,
    ended: &str,
    name_of: impl Fn(char) -> &'a str,
) -> Vec<String> {
    let Some(summary) = summary else {
        return vec![format!("the load generator ended without a summary: {ended}")];
    };
    let mut notes = summary.problems.clone();
    for (arm, totals) in &summary.arms {
        let answered = totals.ok + totals.errors.values().sum::<u64>();
        if totals.goose.0 != 0 && totals.goose.0 != answered {
            let goose = totals.goose.0;
            let arm = name_of(*arm);
            notes.push(format!("{arm}: goose counted {goose} answers, the recorder {answered}"));
        }
    }
    notes
}

/// Waits until a watched value is as it should be, or its sender is gone. What `wait_for` returns is a lock, and a branch
/// of a `select!` holds it until the branch is done: the sender would wait for this task, and this task for the sender.
async fn until<T>(watched: &mut watch::Receiver<T>, holds: impl FnMut(&T) -> bool) {
    let _ = watched.wait_for(holds).await;
}

#[cfg(test)]
mod tests {
    use load_protocol::LoadTotals;

    use super::*;

    #[test]
    fn a_generator_that_miscounts_or_reports_nothing_is_noted() {
        assert!(generator_notes(None, "signal 9", |_| "mono")[0].contains("without a summary: signal 9"));
        let totals = |goose| LoadTotals { ok: 9, goose: (goose, 0), ..LoadTotals::default() };
        let summary = |goose| Summary { arms: [('A', totals(goose))].into(), ..Summary::default() };
        assert_eq!(generator_notes(Some(&summary(9)), "exit 0", |_| "mono"), [""; 0]);
        assert_eq!(generator_notes(Some(&summary(0)), "exit 0", |_| "mono"), [""; 0], "goose was not asked");
        assert_eq!(
            generator_notes(Some(&summary(8)), "exit 0", |_| "mono"),
            ["mono: goose counted 8 answers, the recorder 9"]
        );
    }

    #[test]
    fn seconds_are_counted_from_a_start_before_and_after_it() {
        let start = clock::now() + Duration::from_secs(100);
        let after = |now: i64, seconds: i64| {
            let begin = start - Duration::from_secs(10);
            let at = |ms: i64| begin + Duration::from_millis((10_000 + ms).unsigned_abs());
            assert_eq!(next_second(start, at(now)), at(seconds * 1_000), "{now} ms");
        };
        after(-2_500, -2);
        after(-250, 0);
        after(0, 0);
        after(1, 1);
        after(5_999, 6);
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_value_and_with_its_sender() {
        let (sender, mut watched) = watch::channel(0);
        sender.send_replace(2);
        until(&mut watched, |count| *count > 1).await;
        drop(sender);
        until(&mut watched, |count| *count > 9).await;
    }
}
