//! Plays the steps, each in every arm, when it is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use fault::{Actuator, Fault, Target};
use record::{Entry, Event, EventKind};
use scenario::action::{Build, Deploy};
use scenario::{Action, Probe, Scenario, Step};

use crate::arm::Arm;
use crate::arm::environment::RunEnvironment;
use crate::steps::connection_faults::Proxies;
use crate::steps::context::{ActiveStep, StepContext};
use crate::steps::served::ServedWatch;
#[cfg(feature = "postgres")]
use crate::steps::server_sessions;
use crate::steps::targets::{self, ResolvedTarget};
use crate::steps::{
    autoscale, burner, connection_faults, copies, deploy, gate, lease, process_faults, reconfigure,
    server_connections, server_faults,
};

/// The steps of a scenario on some arms, for one block of load.
pub(crate) struct Timeline<'a> {
    scenario: &'a Scenario,
    arms: &'a [Arc<Arm>],
    context: StepContext<'a>,
    environment: &'a RunEnvironment,
    proxies: Proxies,
}

impl<'a> Timeline<'a> {
    /// The steps of a scenario, to be played on these arms.
    pub fn new(
        scenario: &'a Scenario,
        arms: &'a [Arc<Arm>],
        context: StepContext<'a>,
        environment: &'a RunEnvironment,
    ) -> Self {
        let proxies = Proxies::new(environment.tasks.clone());
        Self { scenario, arms, context, environment, proxies }
    }

    /// Plays all steps.
    pub async fn run(&self) {
        let steps = self.scenario.steps.iter();
        let playing = steps.flat_map(|step| self.arms.iter().map(move |arm| self.run_step(step, arm)));
        futures_util::future::join_all(playing).await;
    }

    async fn run_step(&self, step: &Step, arm: &Arc<Arm>) {
        let active = ActiveStep { context: self.context, step, arm };
        tokio::time::sleep_until(active.start().into()).await;
        if let (Action::Fault(_), Some(reason)) = (&step.action, self.withheld_reason(step)) {
            if self.context.log.withhold(&reason) {
                active.log(format!("step {} is withheld: {reason}", step.number));
            }
            return;
        }
        let names = match targets::resolve(step, &arm.layout(), self.context.seed) {
            ResolvedTarget::Instances(names) => names,
            ResolvedTarget::Outside => Vec::new(),
            ResolvedTarget::NotApplicable(reason) => {
                return self.event(&active, Some(true), format!("n/a ({reason})"));
            }
        };
        // What cannot be done, or is refused, never begins: an event that it does would say that it is in force.
        if let Some(why) = step.action.fault().and_then(connection_faults::missing_means) {
            return active.mark_degraded(why);
        }
        if let Some(reason) = self.refusal(&active, &names) {
            active.log(reason.clone());
            self.context.log.withhold(&reason);
            return;
        }
        let lasts = step.length_ns > 0;
        let target = if names.is_empty() { step.on.clone() } else { names.join(", ") };
        self.event(&active, lasts.then_some(true), target);
        self.act(&active, &names).await;
        self.context.log.deactivate(active.key());
        if lasts {
            self.event(&active, Some(false), "ended".to_owned());
        }
    }

    /// Does what the step's action says, to its end.
    async fn act(&self, active: &ActiveStep<'_>, names: &[String]) {
        match &active.step.action {
            Action::Fault(fault) => self.inject(active, fault, names).await,
            Action::Scale(scale) => copies::scale(active, scale.to, names).await,
            Action::Autoscale(options) => autoscale::autoscale(active, options, names).await,
            Action::Drain(_) => copies::drain(active, names).await,
            Action::Deploy(change) => {
                let build = self.build(change, active.arm);
                let deploy = deploy::deploy(active, change, build, names);
                match self.probe_of(active.step, build) {
                    Some(probe) => {
                        let control = &self.environment.control;
                        ServedWatch { control, probe }.during(active, deploy).await;
                    }
                    None => deploy.await,
                }
            }
            Action::Rollback(back) => {
                let Some((step, change)) = deploy::deployed(&self.scenario.steps, &back.of) else { return };
                deploy::roll_back(active, step, self.build(change, active.arm)).await;
            }
            Action::Reconfigure(change) => reconfigure::reconfigure(active, change, names).await,
            // The schedule was drawn with it.
            Action::Load(_) => {
                tokio::time::sleep_until(active.end().into()).await;
                active.count_hits(1);
            }
        }
    }

    /// Injects a fault where it acts: in nodes, on connections, on processes or on the machine.
    async fn inject(&self, active: &ActiveStep<'_>, fault: &Fault, names: &[String]) {
        let control = &self.environment.control;
        let target = active.step.target;
        if target == Some(Target::Host) {
            return self.inject_on_host(active, fault).await;
        }
        match target.map_or(fault.actuator(), |target| fault.actuator_on(target.kind())) {
            Actuator::CallPath | Actuator::Process => {
                lease::hold_lease(active, control, fault, async || Vec::new()).await;
            }
            Actuator::Proxy if matches!(target, Some(Target::Connection { .. })) => {
                server_connections::apply(active, fault).await;
            }
            Actuator::Proxy => {
                connection_faults::apply(active, control, &self.proxies, fault).await;
            }
            Actuator::Conductor if matches!(target, Some(Target::Server(_))) => {
                server_faults::apply(active, self.environment, fault, names).await;
            }
            #[cfg(feature = "postgres")]
            Actuator::Session => server_sessions::apply(active, fault, names).await,
            // There are no servers: an arm with one does not start.
            #[cfg(not(feature = "postgres"))]
            Actuator::Session => {}
            Actuator::Conductor => {
                process_faults::apply(active, &self.environment.guardian, fault, names).await;
            }
        }
    }

    /// Arms share the machine: the first arm's step burns CPU for all.
    async fn inject_on_host(&self, active: &ActiveStep<'_>, fault: &Fault) {
        let is_first = self.arms.first().is_some_and(|first| first.plan.letter == active.letter());
        if is_first {
            let RunEnvironment { spawner, program, .. } = &self.environment;
            burner::burn_host_cpu(active, spawner, program, fault).await;
        } else {
            active.count_hits(1);
            // It is in force here, too, until the first arm's ends.
            active.wait().await;
        }
    }

    /// How the behaviour is recognised that the deploy of a build brings: that of the first one of the change.
    fn probe_of(&self, step: &Step, build: Build) -> Option<&Probe> {
        let first = self.scenario.first_deploy_of_change().filter(|_| build == Build::Changed)?;
        self.scenario.change.as_ref().filter(|_| first.number == step.number).map(|change| &change.probe)
    }

    /// The build that is deployed in an arm: its variant's, or the step's.
    fn build(&self, deploy: &Deploy, arm: &Arm) -> Build {
        let planned = self.scenario.arms.iter().find(|planned| planned.name == arm.plan.name);
        planned.and_then(|planned| planned.build).unwrap_or(deploy.build)
    }

    /// Why no fault is injected any more.
    fn withheld_reason(&self, step: &Step) -> Option<String> {
        let known = self.context.log.withheld_reason();
        known.or_else(|| gate::unmet_condition(self.scenario, step, self.context.record))
    }

    /// Why a fault on these instances would exceed the budget; where it would not, it is in force from now on.
    fn refusal(&self, active: &ActiveStep<'_>, names: &[String]) -> Option<String> {
        active.step.action.fault()?;
        let copies = active.arm.instances().len();
        self.context.log.activate(active.key(), names, |in_force| {
            gate::exceeded_budget(&self.scenario.budget, active.step.number, names, in_force, copies)
        })
    }

    fn event(&self, active: &ActiveStep<'_>, is_active: Option<bool>, target: String) {
        let step = active.step;
        let what = match &step.action {
            Action::Scale(_) | Action::Autoscale(_) => EventKind::Scale,
            Action::Deploy(_) | Action::Rollback(_) | Action::Reconfigure(_) => EventKind::Deploy,
            _ => EventKind::Fault,
        };
        let ended = if is_active == Some(false) { " ended" } else { "" };
        self.context.record.append(Entry::Event(Event {
            number: step.number,
            what,
            active: is_active,
            mark: None,
            targets: BTreeMap::from([(active.letter(), target)]),
            text: format!("{} {}{ended}", step.on, step.action),
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::clock;

    use super::*;
    use crate::fixture;
    use crate::steps::log::{StepLog, Steps};

    /// What a timeline left: its log, and the events of its record.
    struct Played {
        steps: Steps,
        events: Vec<Event>,
    }

    impl Played {
        /// The events of an arm: whether its step acts from then on, and on what.
        fn of_arm(&self, arm: char) -> Vec<(Option<bool>, &str)> {
            self.events
                .iter()
                .filter_map(|event| Some((event.active, event.targets.get(&arm)?.as_str())))
                .collect()
        }
    }

    /// Plays steps on arms `micro` and `mono` whose processes do not run, long after the steps were due. `before` is done
    /// to the log beforehand.
    async fn play(steps: &str, before: impl FnOnce(&StepLog)) -> Played {
        let text = fixture::two_arms(steps);
        let (record, folder) = fixture::record();
        record.append(Entry::Header(Box::default()));
        let (arms, environment) = fixture::prepared_arms(&text, folder.path(), record.clone());
        let (scenario, log) = (fixture::scenario(&text), StepLog::default());
        before(&log);
        let load_start = clock::now() - Duration::from_secs(3_600);
        let context = StepContext { seed: 1, load_start, record: &record, log: &log };
        Timeline::new(&scenario, &arms, context, &environment).run().await;
        environment.tasks.finish(Duration::from_secs(1)).await;
        let events = record.query(|run| run.events().iter().map(|(_, event)| event.clone()).collect());
        Played { steps: log.take(), events: events.expect("its header is written") }
    }

    const SURGE: &str = "[[step]]\nin = \"steady\"\ndo = \"load\"\nby = \"2x\"\nat = \"+1s\"\nfor = \"1s\"\n";

    fn kill(target: &str) -> String {
        format!("[[step]]\nin = \"steady\"\ndo = \"kill\"\non = \"{target}\"\nat = \"+1s\"\n")
    }

    #[tokio::test]
    async fn a_step_is_played_in_every_arm_from_its_begin_to_its_end() {
        let played = play(SURGE, |_| {}).await;
        assert_eq!(played.steps.hits, BTreeMap::from([((1, 'A'), 1), ((1, 'B'), 1)]));
        for arm in ['A', 'B'] {
            let events = played.of_arm(arm);
            assert_eq!(events.len(), 2, "{events:?}");
            assert_eq!((events[0].0, events[1]), (Some(true), (Some(false), "ended")));
        }
    }

    #[tokio::test]
    async fn a_step_names_the_instances_it_acts_on_in_each_arm() {
        let played = play(&kill("feed"), |_| {}).await;
        assert_eq!(played.of_arm('A'), [(None, "feed#0")]);
        assert_eq!(played.of_arm('B'), [(None, "app#0")], "the whole program holds it");
        assert!(
            played.steps.hits.values().all(|hits| *hits == 0),
            "no process runs: {:?}",
            played.steps.hits
        );
    }

    #[tokio::test]
    async fn a_step_without_a_target_in_an_arm_does_not_apply_there() {
        let played = play(&kill("registry"), |_| {}).await;
        assert_eq!(played.of_arm('A'), [(None, "registry#0")]);
        let [(Some(true), reason)] = played.of_arm('B')[..] else { panic!("{:?}", played.of_arm('B')) };
        assert!(reason.starts_with("n/a (there is no registry here"), "{reason}");
    }

    #[tokio::test]
    async fn faults_are_withheld_once_there_is_a_reason_and_other_steps_go_on() {
        let steps = format!("{SURGE}{}", kill("feed"));
        let played = play(&steps, |log| assert!(log.withhold("too many"))).await;
        assert_eq!(played.steps.hits, BTreeMap::from([((1, 'A'), 1), ((1, 'B'), 1)]));
        assert_eq!(played.steps.withheld, ["too many"]);
        assert!(played.events.iter().all(|event| event.number != 2 || event.what == EventKind::Log));
    }

    #[tokio::test]
    async fn the_first_deploy_of_the_change_is_watched_whatever_is_deployed_before() {
        let deploy = |id: &str, build: &str, at: &str| {
            format!(
                "[[step]]\nid = \"{id}\"\nin = \"steady\"\ndo = \"deploy\"\non = \"feed\"\nbuild = \"{build}\"\nat = \"{at}\"\n"
            )
        };
        // The file's order is not that of time.
        let steps = [
            deploy("again", "changed", "+3s"),
            deploy("bad", "bad-slow", "+1s"),
            deploy("new", "changed", "+2s"),
        ];
        let change = "[change]\npatch = \"+++ b/x\\n\"\nprobe = { path = \"/v1\", shows = \"new\" }\n";
        let text = fixture::two_arms(&format!("{change}{}", steps.concat()));
        let (record, folder) = fixture::record();
        let (arms, environment) = fixture::prepared_arms(&text, folder.path(), record.clone());
        let (scenario, log) = (fixture::scenario(&text), StepLog::default());
        let context = StepContext { seed: 1, load_start: clock::now(), record: &record, log: &log };
        let timeline = Timeline::new(&scenario, &arms, context, &environment);
        let watched = scenario.steps.iter().filter(|step| match &step.action {
            Action::Deploy(deploy) => timeline.probe_of(step, timeline.build(deploy, &arms[0])).is_some(),
            _ => false,
        });
        assert_eq!(watched.map(|step| step.id.as_str()).collect::<Vec<_>>(), ["new"]);
    }

    #[tokio::test]
    async fn a_fault_beyond_the_budget_is_refused_and_the_reason_recorded() {
        // One process of many is hit in `micro`, and the whole program in `mono`.
        let steps = format!("[budget]\nblast = \"50%\"\n\n{}", kill("feed"));
        let played = play(&steps, |_| {}).await;
        let [reason] = &played.steps.withheld[..] else { panic!("{:?}", played.steps.withheld) };
        assert!(reason.contains("1 of 1 copies would be hit at once"), "{reason}");
        let logged =
            played.events.iter().filter(|event| event.what == EventKind::Log && event.text == *reason);
        assert_eq!(logged.count(), 1);
        assert!(!played.steps.hits.contains_key(&(1, 'B')));
    }
}
