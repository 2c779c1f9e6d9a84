//! Some seconds of one arm: all that a measure sees of a run.

use std::ops::Range;

use model::{Run, SECOND, TimeRange, Window};
use record::{Arm, Audit, Cost, Edge, Header, Host, Latencies, Measured, PhasePlan, Proc, StepPlan};

use crate::expect::Argument;
use crate::value::{exact, once, proportion};

/// Which seconds of which arm, and what an expectation wrote in the brackets of the measure.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// The run.
    pub run: &'a Run,
    /// Letter of the arm.
    pub arm: char,
    /// The window the seconds belong to.
    pub window: &'a Window,
    /// The argument of the measure.
    pub argument: &'a Argument,
    range: TimeRange,
}

impl<'a> Selection<'a> {
    /// All seconds of a window, of all rounds.
    pub fn new(run: &'a Run, arm: char, window: &'a Window, argument: &'a Argument) -> Self {
        Self { run, arm, window, argument, range: run.whole(window) }
    }

    /// The same of another window.
    pub fn within<'b>(&'b self, window: &'b Window) -> Selection<'b> {
        Selection::new(self.run, self.arm, window, self.argument)
    }

    /// The same of some seconds only.
    pub fn of_seconds(&self, seconds: Range<u32>) -> Self {
        Self { range: TimeRange { round: 0, seconds }, ..self.clone() }
    }

    /// Its window cut into blocks that stand for themselves: rounds, or parts of one round.
    pub fn blocks(&self) -> Vec<Self> {
        let blocks = self.run.blocks(self.window).into_iter();
        blocks.map(|range| Self { range, ..self.clone() }).collect()
    }

    /// Its seconds since the load's start.
    pub fn seconds(&self) -> Range<u32> {
        self.range.seconds.clone()
    }

    /// How long it is, rounds added up, seconds.
    pub fn length_s(&self) -> f64 {
        let rounds = if self.range.round == 0 { self.run.header.rounds.max(1) } else { 1 };
        f64::from(self.range.seconds.end - self.range.seconds.start) * f64::from(rounds)
    }

    /// A count of the chosen journeys, added up.
    pub fn sum(&self, which: impl Fn(&record::Window) -> u64) -> u64 {
        self.run.sum(self.arm, &self.range, self.argument.journeys(), which)
    }

    /// Journeys sent, all of them.
    pub fn sent(&self) -> u64 {
        self.run.sum(self.arm, &self.range, "all", |window| window.sent)
    }

    /// A histogram of the chosen journeys, merged.
    pub fn latencies(&self, which: impl Fn(&record::Window) -> &Latencies) -> Latencies {
        self.run.merged(self.arm, &self.range, self.argument.journeys(), which)
    }

    /// Share of the chosen journeys that were offered.
    pub fn share(&self, part: impl Fn(&record::Window) -> u64) -> Measured {
        proportion(self.sum(part), self.sum(|window| window.offered))
    }

    /// The seconds of the journeys that pass a test of their name.
    pub fn windows<'s>(
        &'s self,
        is_chosen: impl Fn(&str) -> bool + 's,
    ) -> impl Iterator<Item = &'s record::Window> {
        self.run.windows(self.arm, &self.range, is_chosen)
    }

    /// CPU of the arm's processes, ns; `None` where they were not sampled.
    pub fn cpu_ns(&self) -> Option<u64> {
        self.run.cpu_ns(self.arm, &self.range)
    }

    /// How much a cumulative figure of the arm's processes grew; `None` where they were not sampled.
    pub fn grown(&self, figure: impl Fn(&Proc) -> u64 + Copy) -> Option<u64> {
        self.run.grown(self.arm, &self.range, figure)
    }

    /// Run time of its seconds, ns: one range a round, since arms may take turns.
    pub fn run_time(&self) -> Vec<Range<u64>> {
        self.run.run_time(self.arm, &self.range)
    }

    /// The seconds of the edge the argument names.
    pub fn edge(&self) -> impl Iterator<Item = &'a Edge> {
        let (caller, callee) = self.argument.edge();
        self.run
            .edges(self.arm, &self.range)
            .filter(move |edge| edge.caller == caller && edge.callee == callee)
    }

    /// The seconds of the host.
    pub fn hosts(&self) -> impl Iterator<Item = &'a Host> {
        self.run.hosts(&self.range)
    }

    /// The cost lines of the phases in its window.
    pub fn costs(&self) -> impl Iterator<Item = &'a Cost> {
        self.run.costs(self.arm, self.window)
    }

    /// A count of the arm's plan.
    pub fn planned(&self, count: impl Fn(&Arm) -> u64) -> Measured {
        self.plan().map_or_else(Measured::default, |arm| exact(count(arm), 1))
    }

    /// A count of the audit of acknowledged writes, rounds added up.
    pub fn audited(&self, count: impl Fn(&Audit) -> u64) -> Measured {
        let audit = self.run.audit(self.arm);
        audit.map_or_else(Measured::default, |audit| exact(count(&audit), audit.acknowledged))
    }

    /// Seconds from the first mark in the arm of the step the argument names to the mark `end`.
    pub fn step_until(&self, end: &str) -> Measured {
        let Some(step) = self.step() else { return Measured::default() };
        let at = |mark: &str| {
            let mut events = self.run.events().iter().filter(|(_, event)| event.number == step.number);
            let found = events.find(|(_, event)| {
                event.mark.as_ref().is_some_and(|(arm, other)| *arm == self.arm && other == mark)
            });
            found.map(|(t, _)| *t)
        };
        let ns = at("began").zip(at(end)).map(|(began, end)| end.saturating_sub(began));
        once(ns.map(|ns| ns as f64 / SECOND as f64))
    }

    /// The arm as planned.
    pub fn plan(&self) -> Option<&'a Arm> {
        self.run.header.arms.iter().find(|arm| arm.letter == self.arm)
    }

    /// The step the argument names, by its id or its number.
    pub fn step(&self) -> Option<&'a StepPlan> {
        let name = self.argument.name();
        self.run.header.steps.iter().find(|step| step.id == name || step.number.to_string() == name)
    }

    /// CPU as cores in use.
    pub fn cores(&self, cpu_ns: Option<u64>) -> Option<f64> {
        let seconds = self.length_s();
        cpu_ns.filter(|_| seconds > 0.0).map(|ns| ns as f64 / SECOND as f64 / seconds)
    }
}

/// The phase a step falls into.
pub(crate) fn phase_of<'a>(header: &'a Header, step: &StepPlan) -> Option<&'a PhasePlan> {
    let mut phases = header.phases.iter();
    phases.find(|phase| (phase.start_ns..phase.start_ns + phase.length_ns).contains(&step.start_ns))
}
