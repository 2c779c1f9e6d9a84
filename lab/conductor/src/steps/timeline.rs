//! Plays the steps, each in every arm, when it is due.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fault::{Actuator, Fault, Target};
use record::{Entry, Event, EventKind};
use scenario::action::{Build, Deploy};
use scenario::{Action, Scenario, Step};

use crate::arm::Arm;
use crate::arm::environment::RunEnvironment;
use crate::steps::connection_faults::Proxies;
use crate::steps::context::{ActiveStep, StepContext};
use crate::steps::targets::{self, ResolvedTarget};
use crate::steps::{burner, connection_faults, copies, deploy, gate, lease, process_faults, reconfigure};

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
        let lasts = step.length_ns > 0;
        let target = if names.is_empty() { step.on.clone() } else { names.join(", ") };
        self.event(&active, lasts.then_some(true), target);
        if let Some(reason) = self.refusal(&active, &names) {
            active.log(reason.clone());
            self.context.log.withhold(&reason);
            return;
        }
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
            Action::Drain(_) => copies::drain(active, names).await,
            Action::Deploy(change) => {
                deploy::deploy(active, change, self.build(change, active.arm), names).await;
            }
            Action::Rollback(back) => {
                let Some((step, change)) = deploy::deployed(&self.scenario.steps, &back.of) else { return };
                deploy::roll_back(active, step, self.build(change, active.arm)).await;
            }
            Action::Reconfigure(change) => reconfigure::reconfigure(active, change).await,
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
                lease::hold_lease(active, control, fault, Vec::new()).await;
            }
            Actuator::Proxy => {
                connection_faults::apply(active, control, &self.proxies, fault).await;
            }
            Actuator::Conductor => {
                process_faults::apply(active, &self.environment.guardian, fault, names).await;
            }
        }
    }

    /// Arms share the machine: the first arm's step burns CPU for all.
    async fn inject_on_host(&self, active: &ActiveStep<'_>, fault: &Fault) {
        let is_first = self.arms.first().is_some_and(|first| first.plan.letter == active.letter());
        if is_first {
            let program: &Path = &self.environment.program;
            burner::burn_host_cpu(active, &self.environment.spawner, program, fault).await;
        } else {
            active.count_hits(1);
        }
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
            Action::Scale(_) => EventKind::Scale,
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
