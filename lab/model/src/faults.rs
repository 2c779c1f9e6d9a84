//! Faults and other steps of the plan, and the moments worth comparing.

use std::ops::Range;

use record::{Event, EventKind, PhasePlan, StepPlan};

use crate::run::Run;
use crate::{SECOND, Window};

/// How long a step without a length is shown to act, ns: a scrape every second must not miss it.
const MOMENT_NS: u64 = 2 * SECOND;

/// A moment of the run whose topology is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `baseline`, `fault`, `change`, `recovery`.
    pub name: &'static str,
    /// The phase it is.
    pub phase: String,
}

impl Run {
    /// A step by its id or its number.
    pub fn step(&self, step: &str) -> Option<&StepPlan> {
        self.header.steps.iter().find(|plan| plan.id == step || plan.number.to_string() == step)
    }

    /// A step that has a target in an arm.
    pub fn step_in(&self, number: u32, arm: char) -> Option<&StepPlan> {
        let step = self.header.steps.iter().find(|step| step.number == number)?;
        (!step.not_applicable.contains_key(&arm)).then_some(step)
    }

    /// The load second in which the last fault ends; a one-shot fault ends when it happens.
    pub fn last_fault_end(&self) -> Option<u32> {
        let faults = self.header.steps.iter().filter(|step| step.is_fault);
        let end = faults.map(|step| step.start_ns + step.length_ns).max()?;
        Some(u32::try_from(end / SECOND).unwrap_or(u32::MAX))
    }

    /// Load seconds in which something is wrong on purpose: those of faults, from when one begins to the first after it, and
    /// those of phases in which the load is more than the arms can do.
    pub fn disturbances(&self) -> impl Iterator<Item = Range<u32>> {
        let faults = self.header.steps.iter().filter(|step| step.is_fault);
        let faults = faults.map(|step| (step.start_ns, step.start_ns + step.length_ns));
        let overloads = self.header.phases.iter().filter(|phase| self.is_overloaded(phase));
        let overloads = overloads.map(|phase| (phase.start_ns, phase.start_ns + phase.length_ns));
        let second = |second: u64| u32::try_from(second).unwrap_or(u32::MAX);
        faults.chain(overloads).map(move |(from, to)| second(from / SECOND)..second(to.div_ceil(SECOND)))
    }

    /// Whether the load of a phase is more than the arms can do, on purpose.
    pub fn is_overloaded(&self, phase: &PhasePlan) -> bool {
        self.header.overloaded.contains(&phase.name)
    }

    /// Measured phases whose load the arms are meant to carry.
    pub fn phases_to_carry(&self) -> impl Iterator<Item = Window> {
        let phases = self.header.phases.iter();
        let phases = phases.filter(|phase| phase.measure && !self.is_overloaded(phase));
        phases.map(|phase| Window::Phase(phase.name.clone()))
    }

    /// Steps that have a target in an arm, and whether each acts at `t`, by what events report; a step without a length
    /// acts for [`MOMENT_NS`].
    pub fn steps_at(&self, arm: char, t: u64) -> impl Iterator<Item = (&StepPlan, bool)> {
        let steps = self.header.steps.iter().filter(move |step| !step.not_applicable.contains_key(&arm));
        steps.map(move |step| (step, self.end.is_none() && self.is_acting(step, arm, t)))
    }

    /// Steps of the plan that hit a component of an arm at `t`; a moment's step for as long as its phase lasts.
    pub fn steps_hitting_at(&self, arm: char, component: &str, t: u64) -> impl Iterator<Item = &StepPlan> {
        let load_ns = self.position_at(arm, t).map(|position| t.saturating_sub(position.start));
        let end_of = |step: &StepPlan| {
            let in_phase = |phase: &&PhasePlan| {
                (phase.start_ns..phase.start_ns + phase.length_ns).contains(&step.start_ns)
            };
            match (step.length_ns, self.header.phases.iter().find(in_phase)) {
                (0, Some(phase)) => phase.start_ns + phase.length_ns,
                (length, _) => step.start_ns + length,
            }
        };
        let hits = move |step: &&StepPlan| {
            let is_target =
                !step.not_applicable.contains_key(&arm) && step.hits.iter().any(|hit| hit == component);
            is_target && load_ns.is_some_and(|now| (step.start_ns..end_of(step)).contains(&now))
        };
        self.header.steps.iter().filter(hits).collect::<Vec<_>>().into_iter()
    }

    fn is_acting(&self, step: &StepPlan, arm: char, t: u64) -> bool {
        let reports = |event: &&(u64, Event)| {
            let (_, event) = event;
            let acts = matches!(event.what, EventKind::Fault | EventKind::Scale | EventKind::Deploy);
            let hits = event.targets.get(&arm).is_some_and(|target| !target.starts_with("n/a"));
            event.number == step.number && acts && event.mark.is_none() && hits
        };
        let last = self.events_until(t).iter().rfind(reports);
        last.is_some_and(|(at, event)| event.active.unwrap_or(t - at < MOMENT_NS))
    }

    /// When a step of several parts first reached one of these marks in an arm, ns since the run's start.
    pub fn marked_at(&self, step: &StepPlan, arm: char, marks: &[&str]) -> Option<u64> {
        let is_one = |mark: &(char, String)| mark.0 == arm && marks.contains(&mark.1.as_str());
        let mut events = self.events.iter();
        let found =
            events.find(|(_, event)| event.number == step.number && event.mark.as_ref().is_some_and(is_one));
        found.map(|(t, _)| *t)
    }

    /// The first moments worth comparing: before anything was done, while the first fault lasts, and at the end.
    pub fn moments(&self) -> Vec<Moment> {
        let phases = &self.header.phases;
        let steady = phases.iter().find(|phase| phase.name == "steady" && phase.measure);
        let Some(baseline) = steady.or_else(|| phases.iter().find(|phase| phase.measure)) else {
            return Vec::new();
        };
        let mut moments = vec![Moment { name: "baseline", phase: baseline.name.clone() }];
        let steps = &self.header.steps;
        let first = steps.iter().find(|step| step.is_fault).or_else(|| steps.first());
        let phase_at = |ns: u64| {
            phases.iter().position(|phase| (phase.start_ns..phase.start_ns + phase.length_ns).contains(&ns))
        };
        let Some((step, at)) = first.and_then(|step| Some((step, phase_at(step.start_ns)?))) else {
            return moments;
        };
        let mut add = |name, phase: &str| {
            if moments.iter().all(|moment| moment.phase != phase) {
                moments.push(Moment { name, phase: phase.to_owned() });
            }
        };
        add(if step.is_fault { "fault" } else { "change" }, &phases[at].name);
        if let Some(last) = phases.last().filter(|_| at + 1 < phases.len()) {
            add("recovery", &last.name);
        }
        moments
    }
}
