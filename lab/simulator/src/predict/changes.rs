//! Steps that change the copies of processes: which of them are simulated, as changes of a plan, and what these note, in the words
//! of a live run.

use std::collections::BTreeMap;

use contract::ProcessPlan;
use fault::{Actuator, ProcessFault, Target};
use policy::autoscale::reason;
use record::{Event, EventKind, process_of};
use scenario::action::{Build, Deploy, RolloutKind};
use scenario::{Action, Scenario, Step};

use super::layout::Layout;
use super::setting::BuiltPlan;
use super::targets::{instances, is_simulated, picked, share_of};
use crate::calibrate::Calibration;
use crate::engine::random::stream;
use crate::model::{
    BuildPlan, ChangeAction, ChangePlan, CopiesPlan, Moment, Note, Rollout, RolloutOrder, SUBSET,
};

/// From the start of a process until it serves where no run of the calibration has it, ns.
const ASSUMED_START_NS: u64 = 500_000_000;

/// The steps of a scenario that change copies, in an arm.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Copies of processes that they may add, at most, by the process's name.
    pub standby: BTreeMap<String, u32>,
    /// Why a step of this number is not simulated.
    refused: BTreeMap<u32, String>,
    /// Since when copies of a process are others than at first, ns.
    changed_ns: BTreeMap<String, u64>,
    /// Processes that any of the steps is about.
    processes: Vec<String>,
}

/// How many copies of a process there may be after some steps.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: u32,
    most: u32,
    /// Numbers that copies may have had beyond those of the first.
    more: u32,
}

/// What a step leaves behind of a process.
#[derive(Clone, Debug)]
struct ChangedProcess {
    process: String,
    bounds: Bounds,
    /// Whether its copies may be others.
    is_changed: bool,
}

/// Whether a step changes copies.
pub(super) fn is_change(step: &Step) -> bool {
    match &step.action {
        Action::Load(_) => false,
        Action::Fault(fault) => {
            matches!(fault.process_fault(), Some(ProcessFault::Stop(_) | ProcessFault::Restart))
        }
        _ => true,
    }
}

/// What is assumed of how long copies take to start, where a step starts any and no run of the calibration had it.
pub(super) fn assumed_start(calibration: &Calibration, scenario: &Scenario) -> Option<String> {
    let fault = |step: &Step| step.action.fault().and_then(fault::Fault::process_fault);
    let starts =
        |step: &Step| step.action.changes_copies() || matches!(fault(step), Some(ProcessFault::Restart));
    let is_unknown = calibration.start_ns == 0 && scenario.steps.iter().any(starts);
    let ms = ASSUMED_START_NS / 1_000_000;
    is_unknown.then(|| format!("copies serve {ms} ms after their start, of which the calibration has none"))
}

const fn start_ns(calibration: &Calibration) -> u64 {
    if calibration.start_ns == 0 { ASSUMED_START_NS } else { calibration.start_ns }
}

/// Whether a process has a port that is known beforehand, so that there is one copy, which is replaced in place.
const fn has_one_port(process: &ProcessPlan) -> bool {
    process.gateway || process.registry
}

impl Changes {
    /// Looks at the steps of a scenario in the order in which they begin.
    pub fn of(scenario: &Scenario, layout: &Layout) -> Self {
        let mut changes = Self::default();
        let mut bounds: BTreeMap<String, Bounds> = BTreeMap::new();
        let mut steps: Vec<&Step> = scenario.steps.iter().filter(|step| is_change(step)).collect();
        steps.sort_by_key(|step| (step.start_ns, step.number));
        for step in steps {
            match changes.look_at(scenario, layout, step, &bounds) {
                Err(why) => {
                    changes.refused.insert(step.number, why);
                }
                Ok(after) => changes.take(step, after, &mut bounds),
            }
        }
        changes
    }

    /// What a step leaves behind, by process.
    ///
    /// # Errors
    /// Why it is not simulated.
    fn look_at(
        &self,
        scenario: &Scenario,
        layout: &Layout,
        step: &Step,
        bounds: &BTreeMap<String, Bounds>,
    ) -> Result<Vec<ChangedProcess>, String> {
        let what = || step.action.to_string();
        if layout.scale.is_some() {
            return Err(what());
        }
        let deploy = deploy_of(scenario, step);
        match &step.action {
            Action::Reconfigure(_) => return Err(what()),
            Action::Rollback(_) if deploy.is_none_or(|(of, _)| self.refused.contains_key(&of.number)) => {
                return Err(what());
            }
            Action::Fault(_) | Action::Drain(_) => self.check_named(layout, step)?,
            _ => {}
        }
        if let Some((_, deploy)) = deploy
            && build_of(layout, deploy) == Build::IncompatibleSchema
        {
            let deploy = Deploy { build: Build::IncompatibleSchema, ..deploy.clone() };
            return Err(Action::Deploy(Box::new(deploy)).to_string());
        }
        let has_registry = layout.processes.iter().any(|process| process.registry);
        let mut all = Vec::new();
        for process in processes(scenario, layout, step) {
            let first = Bounds { least: process.replicas, most: process.replicas, more: 0 };
            let before = bounds.get(&process.name).copied().unwrap_or(first);
            let is_copied = !has_one_port(process) && !matches!(step.action, Action::Fault(_));
            if is_copied && !has_registry {
                return Err(format!("{}, without a registry", what()));
            }
            let deploy = deploy.map(|(_, deploy)| deploy);
            let after = if is_copied { before.after(&step.action, deploy) } else { before };
            if (process.replicas + after.more) as usize > SUBSET {
                return Err(format!("{}, with more than {SUBSET} copies of {} in all", what(), process.name));
            }
            let resizes = matches!(step.action, Action::Scale(_) | Action::Autoscale(_) | Action::Drain(_));
            let is_changed = (is_copied && resizes) || after.more > before.more;
            all.push(ChangedProcess { process: process.name.clone(), bounds: after, is_changed });
        }
        Ok(all)
    }

    /// A step that acts on copies by their names: they have to be those that were there at first.
    fn check_named(&self, layout: &Layout, step: &Step) -> Result<(), String> {
        let is_process = step.target.is_some_and(|target| matches!(target, Target::Node(_)));
        let acts = |fault: &fault::Fault, target: Target| {
            matches!(fault.actuator_on(target.kind()), Actuator::Conductor)
        };
        let is_outside =
            step.action.fault().zip(step.target).is_none_or(|(fault, target)| acts(fault, target));
        if !is_process || !is_outside {
            return Err(step.action.to_string());
        }
        self.check_unchanged(step, &named(layout, step))
    }

    fn take(&mut self, step: &Step, all: Vec<ChangedProcess>, bounds: &mut BTreeMap<String, Bounds>) {
        for ChangedProcess { process, bounds: after, is_changed } in all {
            bounds.insert(process.clone(), after);
            self.standby.insert(process.clone(), after.more);
            if is_changed {
                self.changed_ns.entry(process.clone()).or_insert(step.start_ns);
            }
            if !self.processes.contains(&process) {
                self.processes.push(process);
            }
        }
    }

    /// Whether the copies of these names are those that were there at first when a step begins.
    ///
    /// # Errors
    /// That the step is not simulated, where other steps may have replaced them.
    pub fn check_unchanged(&self, step: &Step, names: &[String]) -> Result<(), String> {
        let mut since_ns = names.iter().filter_map(|name| self.changed_ns.get(process_of(name)));
        if since_ns.any(|since_ns| *since_ns <= step.start_ns) {
            return Err(format!("{}, on copies that another step changes", step.action));
        }
        Ok(())
    }

    /// Adds the processes whose copies change, with all their copies, to a plan.
    pub fn add_copies(&self, calibration: &Calibration, layout: &Layout, built: &mut BuiltPlan) {
        let is_meant = |process: &&ProcessPlan| self.processes.contains(&process.name);
        for process in layout.processes.iter().filter(is_meant) {
            let all = process.replicas + self.standby.get(&process.name).copied().unwrap_or(0);
            built.plan.copies.push(CopiesPlan {
                name: layout.own(&process.name),
                copies: (0..all).map(|n| layout.own(&format!("{}#{n}", process.name))).collect(),
                first: process.replicas,
                start_ns: start_ns(calibration),
                has_one_port: has_one_port(process),
            });
        }
    }

    /// A step as a change of a plan; none where it has nothing to act on.
    ///
    /// # Errors
    /// Why it is not simulated.
    pub fn plan(
        &self,
        scenario: &Scenario,
        layout: &Layout,
        seed: u64,
        step: &Step,
    ) -> Result<Option<ChangePlan>, String> {
        if let Some(why) = self.refused.get(&step.number) {
            return Err(why.clone());
        }
        let processes = processes(scenario, layout, step);
        if processes.is_empty() {
            return Ok(None);
        }
        let names = || -> Vec<String> {
            let named = picked(step, named(layout, step), seed);
            named.iter().map(|name| layout.own(name)).collect()
        };
        let action = match &step.action {
            Action::Scale(scale) => ChangeAction::Scale(scale.to),
            Action::Autoscale(options) => {
                ChangeAction::Autoscale(*options, counted_components(layout, step, &processes))
            }
            Action::Deploy(deploy) => {
                let build = build_of(layout, deploy);
                ChangeAction::Deploy(planned_build(layout, step, build)?, rollout_of(deploy))
            }
            Action::Rollback(back) => ChangeAction::RollBack(layout.own(&back.of)),
            Action::Drain(_) => ChangeAction::Drain(names()),
            Action::Fault(fault) => match fault.process_fault() {
                Some(ProcessFault::Restart) => ChangeAction::Restart(names()),
                Some(ProcessFault::Stop(within)) => ChangeAction::Stop(names(), within.nanos()),
                _ => return Err(fault.to_string()),
            },
            other => return Err(other.to_string()),
        };
        Ok(Some(ChangePlan {
            name: layout.own(&step.id),
            start_ns: step.start_ns,
            end_ns: step.start_ns + step.length_ns,
            copies: processes.iter().map(|process| layout.own(&process.name)).collect(),
            action,
        }))
    }

    /// What of a step that is simulated is not, a phrase each.
    pub fn left_out(&self, layout: &Layout, step: &Step) -> Vec<String> {
        let Action::Deploy(deploy) = &step.action else { return Vec::new() };
        let named = format!("step {} (`{}`)", step.number, step.id);
        let build = build_of(layout, deploy);
        let is_meant = |wanted: bool, text: String| wanted.then_some(text);
        [
            is_meant(
                build == Build::Changed,
                format!("what the edit that {named} deploys does, and when users see it"),
            ),
            is_meant(build == Build::BadLeak, format!("the memory that what {named} deploys leaks")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Bounds {
    /// After a step: a deploy replaces all copies, by others of further numbers.
    fn after(self, action: &Action, deploy: Option<&Deploy>) -> Self {
        let Self { least, most, more } = self;
        let between = |from: u32, to: u32| Self {
            least: least.min(from),
            most: most.max(to),
            more: more + to.saturating_sub(least),
        };
        match action {
            Action::Scale(scale) => between(scale.to, scale.to),
            Action::Autoscale(options) => between(options.min, options.max),
            Action::Drain(_) => Self { least: 0, ..self },
            Action::Deploy(_) | Action::Rollback(_) => {
                let kind = deploy.map(|deploy| deploy.strategy.kind);
                let is_judged = deploy.is_some_and(|deploy| deploy.strategy.promote_if.is_some());
                let replaced = match (action, kind) {
                    (Action::Deploy(_), Some(RolloutKind::Recreate)) => 0,
                    (Action::Deploy(_), Some(RolloutKind::Canary)) => most + 1,
                    // And back, where the condition does not hold.
                    (Action::Deploy(_), _) if is_judged => 2 * most,
                    _ => most,
                };
                Self { more: more + replaced, ..self }
            }
            _ => self,
        }
    }
}

/// The deploy that a step is, or takes back.
fn deploy_of<'a>(scenario: &'a Scenario, step: &'a Step) -> Option<(&'a Step, &'a Deploy)> {
    let of = match &step.action {
        Action::Rollback(back) => scenario.steps.iter().find(|other| other.id == back.of)?,
        _ => step,
    };
    Some((of, of.action.deploy()?))
}

/// The build that is deployed in an arm: its variant's, or the step's.
fn build_of(layout: &Layout, deploy: &Deploy) -> Build {
    layout.arm.build.unwrap_or(deploy.build)
}

/// Processes that a step is about, in the order of their first copies.
fn processes<'a>(scenario: &'a Scenario, layout: &'a Layout, step: &'a Step) -> Vec<&'a ProcessPlan> {
    let of = match (&step.action, deploy_of(scenario, step)) {
        (Action::Rollback(_), Some((deploy, _))) => deploy,
        _ => step,
    };
    let names = named(layout, of);
    let is_meant = |process: &&ProcessPlan| names.iter().any(|name| process_of(name) == process.name);
    layout.processes.iter().filter(is_meant).collect()
}

/// Copies that the target of a step names.
fn named(layout: &Layout, step: &Step) -> Vec<String> {
    step.target.map(|target| instances(layout, &layout.copies(), target)).unwrap_or_default()
}

/// Components whose requests an autoscaler counts: the one that its step names, or all of each process.
fn counted_components(layout: &Layout, step: &Step, processes: &[&ProcessPlan]) -> Vec<String> {
    let named = step.target.and_then(Target::component);
    let counted = processes.iter().flat_map(|process| {
        let is_named = |host: &&contract::ComponentName| named == Some(**host);
        let alone = process.hosts.iter().find(is_named);
        process.hosts.iter().filter(move |host| alone.is_none_or(|alone| alone == *host))
    });
    counted.map(|host| layout.own(host.as_str())).collect()
}

fn planned_build(layout: &Layout, step: &Step, build: Build) -> Result<BuildPlan, String> {
    let component = step.target.and_then(Target::component).map(|name| name.as_str().to_owned());
    // A process may be meant by its own name.
    let is_component =
        |name: &String| layout.processes.iter().flat_map(|of| &of.hosts).any(|host| host.as_str() == name);
    let component = component.filter(is_component).map(|name| layout.own(&name));
    let defect = match build.defect() {
        Some((fault, matching)) => {
            let call = fault.effect_on_call(0);
            let share = is_simulated(&call).then(|| share_of(&matching)).transpose()?;
            share.map(|share| (component, share, call))
        }
        None => None,
    };
    let is_deployed_once = build == Build::Changed;
    Ok(BuildPlan { name: build.name().to_owned(), defect, is_deployed_once })
}

fn rollout_of(deploy: &Deploy) -> Rollout {
    let strategy = &deploy.strategy;
    let order = match strategy.kind {
        RolloutKind::Rolling => RolloutOrder::Rolling,
        RolloutKind::BlueGreen => RolloutOrder::BlueGreen,
        RolloutKind::Recreate => RolloutOrder::InPlace,
        RolloutKind::Canary => RolloutOrder::Canary(strategy.canary_share()),
    };
    Rollout {
        order,
        watched_ns: strategy.hold_ns(),
        is_judged: strategy.promote_if.is_some(),
        rolls_back: strategy.rolls_back_automatically(),
    }
}

/// What kind of event a step is, as a live run has it.
pub(super) const fn kind_of(action: &Action) -> EventKind {
    match action {
        Action::Scale(_) | Action::Autoscale(_) => EventKind::Scale,
        Action::Deploy(_) | Action::Rollback(_) | Action::Reconfigure(_) => EventKind::Deploy,
        Action::Fault(_) | Action::Drain(_) | Action::Load(_) => EventKind::Fault,
    }
}

/// The arm and the step that a change is of.
pub(super) fn step_of<'s>(change: &str, scenario: &'s Scenario) -> Option<(char, &'s Step)> {
    let step = scenario.steps.iter().find(|step| step.id == stream(change))?;
    Some((change.chars().next()?, step))
}

/// The event of a record that a note is; `None` of one that no step of the scenario made.
pub(super) fn event_of(note: &Note, scenario: &Scenario, layouts: &[Layout]) -> Option<Event> {
    let (letter, step) = step_of(&note.change, scenario)?;
    let layout = layouts.iter().find(|layout| layout.letter == letter)?;
    let on = &step.on;
    let build = || step.action.deploy().map_or("", |deploy| build_of(layout, deploy).name());
    let (mark, text) = match &note.moment {
        Moment::Began => (Some("began"), format!("{on} deploy {}", build())),
        Moment::Over => (Some("done"), format!("{on} deploy is over")),
        Moment::Resizing { process, from, to, total } => {
            let text = format!("{}: {from} to {to} copies", stream(process));
            match &step.action {
                Action::Autoscale(options) => (None, format!("{text}{}", reason(options.target(), *total))),
                _ => (Some("began"), text),
            }
        }
        Moment::Resized { process, to } => (Some("done"), format!("{}: {to} copies serve", stream(process))),
        Moment::HasOnePort(process) => {
            (None, format!("{}: it has one port and cannot be copied", stream(process)))
        }
        Moment::Unchanged(process) => (Some("unchanged"), format!("{} runs it already", stream(process))),
        Moment::Canary(copy) => {
            let share = step.action.deploy().map_or(0.0, |deploy| deploy.strategy.canary_share());
            (Some("canary"), format!("{} is the canary, with {:.0} %", stream(copy), share * 100.0))
        }
        Moment::Promoted => (Some("promoted"), format!("{} takes over", build())),
        Moment::Detected => {
            let condition = step.action.deploy().and_then(|deploy| deploy.strategy.promote_if.as_ref());
            (Some("detected"), format!("`{}` does not hold", condition.map_or("", |of| of.0.text.as_str())))
        }
        Moment::RolledBack => (Some("rolled-back"), format!("{} is taken back", build())),
        Moment::Draining(copy) => (Some("began"), format!("{} drains", stream(copy))),
        Moment::Left(copy) => (Some("done"), format!("{} has left", stream(copy))),
    };
    let is_scale = mark.is_none() || matches!(step.action, Action::Scale(_));
    Some(Event {
        number: step.number,
        what: if is_scale { EventKind::Scale } else { EventKind::Deploy },
        active: None,
        mark: mark.map(|mark| (letter, mark.to_owned())),
        targets: BTreeMap::new(),
        text: format!("{letter} {text}"),
    })
}
