//! Some seconds of one arm: all that a measure sees of a run.

use std::collections::BTreeMap;
use std::ops::Range;

use model::waits::LongestWait;
use model::{Run, SECOND, TimeRange, Window, journeys};
use record::{Arm, Audit, Class, Edge, Header, Host, Latencies, PhasePlan, Proc, Resources, StepPlan};

use crate::argument::Argument;
use crate::inference::{Arrivals, Frame, Once, Statistic, Terms, Trials};

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
        Self { range: TimeRange { round: self.range.round, seconds }, ..self.clone() }
    }

    /// The units of its window: what intervals are made from.
    pub fn frame(&self) -> Frame {
        let rounds = self.run.header.rounds.max(1);
        let units = u32::try_from(self.run.units(self.window).len()).unwrap_or(u32::MAX);
        let window = name_of(self.window);
        Frame { seed: self.run.header.seed, window, rounds, seconds: units / rounds }
    }

    /// A figure of every unit, round by round.
    pub fn by_unit<T>(&self, figure: impl Fn(&Self) -> Option<T>) -> Vec<Option<T>> {
        let units = self.run.units(self.window).into_iter();
        units.map(|range| figure(&Self { range, ..self.clone() })).collect()
    }

    /// A figure of every round.
    pub fn by_round<T>(&self, figure: impl Fn(&Self) -> Option<T>) -> Vec<Option<T>> {
        let rounds = self.run.rounds(self.window).into_iter();
        rounds.map(|range| figure(&Self { range, ..self.clone() })).collect()
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

    /// Its load seconds, each with its round.
    fn load_seconds(&self) -> impl Iterator<Item = (u32, u32)> {
        let rounds = match self.range.round {
            0 => 1..=self.run.header.rounds.max(1),
            round => round..=round,
        };
        let seconds = self.range.seconds.clone();
        rounds.flat_map(move |round| seconds.clone().map(move |second| (round, second)))
    }

    /// Journeys that ended in its seconds; `None` where that is not known of one of them.
    pub fn finished(&self) -> Option<u64> {
        self.load_seconds().map(|(round, second)| self.run.unit_finished(self.arm, round, second)).sum()
    }

    /// Requests on the wire, all edges; `None` where a process was not asked.
    pub fn requests(&self) -> Option<u64> {
        self.load_seconds().map(|(round, second)| self.run.unit_hops(self.arm, round, second)).sum()
    }

    /// CPU of the arm's processes by part, ns; all but what injected delays cost add up to [`Self::cpu_ns`]. `None` where a
    /// process was not asked.
    pub fn cpu_parts(&self) -> Option<BTreeMap<&'a str, u64>> {
        let mut parts = BTreeMap::new();
        for (round, second) in self.load_seconds() {
            for (part, ns) in self.run.unit_cpu(self.arm, round, second)?.parts {
                *parts.entry(part).or_default() += ns;
            }
        }
        Some(parts)
    }

    /// Traced requests that are whole in every arm, and their time on the critical path by class, ns; `None` where there
    /// are none.
    pub fn traced(&self) -> Option<(u64, BTreeMap<Class, u64>)> {
        let (mut requests, mut classes) = (0, BTreeMap::new());
        for (round, second) in self.load_seconds() {
            let Some(of_second) = self.run.unit_trace(self.arm, round, second) else { continue };
            requests += of_second.n;
            for (class, ns) in of_second.classes {
                *classes.entry(class).or_default() += ns;
            }
        }
        (requests > 0).then_some((requests, classes))
    }

    /// How long a user waits at most, microseconds.
    pub fn longest_wait_us(&self) -> u64 {
        self.run.header.timeout_us
    }

    /// Journeys sent, all of them.
    pub fn sent(&self) -> u64 {
        self.run.sum(self.arm, &self.range, "all", |window| window.sent)
    }

    /// A histogram of the chosen journeys, merged.
    pub fn latencies(&self, which: impl Fn(&record::Window) -> &Latencies) -> Latencies {
        self.run.merged(self.arm, &self.range, self.argument.journeys(), which)
    }

    /// The chosen journeys as arrivals: how long the ok ones took, from when they were due, and how many failed.
    pub fn arrivals(&self) -> Arrivals {
        let waits = self.latencies(|window| &window.intended);
        Arrivals { waits, censored: self.sum(journeys::failed) }
    }

    /// The share of the chosen journeys that are events.
    pub fn share_of_journeys(&self, is_failure: bool, events: fn(&record::Window) -> u64) -> Statistic {
        let trials = self.by_unit(|unit| {
            Some(Trials { events: unit.sum(events), trials: unit.sum(|window| window.offered) })
        });
        let arrivals = self.by_unit(|unit| Some(unit.arrivals()));
        Statistic::share(trials, arrivals, is_failure)
    }

    /// A figure per journey that ended, unit by unit; `scale` from its unit to the row's.
    pub fn per_journey(&self, scale: f64, figure: impl Fn(&Self) -> Option<u64>) -> Statistic {
        let n = self.by_unit(Self::finished).into_iter().flatten().sum();
        self.quotient(n, scale, |unit| unit.over_finished(figure(unit)?))
    }

    /// A quotient of sums, unit by unit.
    pub fn quotient(&self, n: u64, scale: f64, terms: impl Fn(&Self) -> Option<Terms>) -> Statistic {
        Statistic::quotient(self.by_unit(terms), n, scale)
    }

    /// The seconds of the journeys that pass a test of their name.
    pub fn windows<'s>(
        &'s self,
        is_chosen: impl Fn(&str) -> bool + 's,
    ) -> impl Iterator<Item = &'s record::Window> {
        self.run.windows(self.arm, &self.range, is_chosen)
    }

    /// CPU of the arm's processes, ns, without what injected delays cost in them; `None` where one of them was not asked,
    /// as its parts are.
    pub fn cpu_ns(&self) -> Option<u64> {
        let of_second = |(round, second)| Some(self.run.unit_cpu(self.arm, round, second)?.own_ns());
        self.load_seconds().map(of_second).sum()
    }

    /// A figure over the journeys that ended.
    fn over_finished(&self, figure: u64) -> Option<Terms> {
        Some(Terms { numerator: figure as f64, denominator: self.finished()? as f64 })
    }

    /// How much a cumulative figure of the arm's processes grew; `None` where they were not sampled.
    pub fn grown(&self, figure: impl Fn(&Proc) -> u64 + Copy) -> Option<u64> {
        self.run.grown(self.arm, &self.range, figure)
    }

    /// The same of a figure that processes report of themselves; `None` where one did not.
    pub fn reported(&self, figure: impl Fn(&Proc) -> u64 + Copy) -> Option<u64> {
        self.run.reported(self.arm, &self.range, figure)
    }

    /// CPU of the arm at rest, before the load of its round, ns a second; `None` where it was not sampled then.
    pub fn idle_ns_per_s(&self) -> Option<f64> {
        self.run.idle_ns_per_s(self.arm, self.range.round.max(1))
    }

    /// What the arm spends at rest, ns a second: as before this round's load, else as before its first.
    pub fn base_ns_per_s(&self) -> Option<f64> {
        self.idle_ns_per_s().or_else(|| self.run.idle_ns_per_s(self.arm, 1))
    }

    /// The longest wait of the arm's processes for a queue that is meant; `None` where it is not known.
    pub fn longest_wait(&self, is_meant: impl Fn(&str) -> bool) -> Option<LongestWait<'a>> {
        self.run.longest_wait(self.arm, &self.range, is_meant)
    }

    /// The share of trials that are events, of two counts that the arm's processes add up: how many of each are new in a
    /// unit. A process that has neither has none.
    pub fn share_of_growth(
        &self,
        is_failure: bool,
        counts: impl Fn(&Proc) -> Option<(u64, u64)> + Copy,
    ) -> Statistic {
        let trials = self.by_unit(|unit| {
            let events = unit.reported(|proc| counts(proc).map_or(0, |(events, _)| events))?;
            let trials = unit.reported(|proc| counts(proc).map_or(0, |(_, trials)| trials))?;
            Some(Trials { events: events.min(trials), trials })
        });
        Statistic::share(trials, Vec::new(), is_failure)
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

    /// A count of the arm's plan.
    pub fn planned(&self, count: impl Fn(&Arm) -> u64) -> Statistic {
        Statistic::exact(self.plan().map(|arm| count(arm) as f64))
    }

    /// A count of what the arm's processes were given.
    pub fn given(&self, count: impl Fn(&Resources) -> u32) -> Statistic {
        let given = self.plan().and_then(|arm| arm.resources.as_ref());
        Statistic::exact(given.map(|resources| count(resources).into()))
    }

    /// A count of the audit of acknowledged writes.
    pub fn audited(&self, count: impl Fn(&Audit) -> u64) -> Statistic {
        let of_round = |round: &Self| {
            let audit = self.run.audit_of(self.arm, round.range.round)?;
            Some(Trials { events: count(audit), trials: audit.acknowledged.saturating_sub(audit.unverified) })
        };
        Statistic::count(self.by_round(of_round))
    }

    /// Seconds from the first mark in the arm of the step the argument names to the mark `end`, in each round, whatever the
    /// window; it is awaited from the mark `since` on. Where it does not come, the value is the time until the load of the round
    /// ended, and the true one lies beyond: without such rounds the quick ones would be taken for all.
    pub fn step_awaited(&self, since: &str, end: &str) -> Statistic {
        let of_round = |round: &Selection<'_>| {
            let step = self.step()?;
            let within = round.run_time();
            let at = |mark: &str| {
                let mut events = self.run.events().iter().filter(|(_, event)| event.number == step.number);
                let found = events.find(|(t, event)| {
                    event.mark.as_ref().is_some_and(|(arm, other)| *arm == self.arm && other == mark)
                        && within.iter().any(|range| range.contains(t))
                });
                found.map(|(t, _)| *t)
            };
            let began = at("began")?;
            let until = |t: u64| Once::of(t.saturating_sub(began) as f64 / SECOND as f64);
            if let Some(t) = at(end) {
                return Some(until(t));
            }
            at(since)?;
            let over = within.iter().find(|range| range.contains(&began))?.end;
            Some(Once { is_censored: true, ..until(over.min(self.run.now)) })
        };
        Statistic::event(self.within(&Window::Whole).by_round(of_round))
    }

    /// Whether a fault acts in its window: what happens then is one event, and its seconds are no sample of others.
    pub fn has_fault(&self) -> bool {
        self.run.header.steps.iter().any(|step| step.is_fault && self.has_step(step))
    }

    /// Whether a step acts in its window.
    pub fn has_step(&self, step: &StepPlan) -> bool {
        let second = |ns: u64| u32::try_from(ns / SECOND).unwrap_or(u32::MAX);
        let (from, to) = (second(step.start_ns), second((step.start_ns + step.length_ns).saturating_sub(1)));
        from < self.range.seconds.end && to.max(from) >= self.range.seconds.start
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
}

/// The phase a step falls into.
pub(crate) fn phase_of<'a>(header: &'a Header, step: &StepPlan) -> Option<&'a PhasePlan> {
    let mut phases = header.phases.iter();
    phases.find(|phase| (phase.start_ns..phase.start_ns + phase.length_ns).contains(&step.start_ns))
}

/// How rows name their window.
pub(crate) fn name_of(window: &Window) -> String {
    match window {
        Window::Phase(name) => name.clone(),
        Window::Whole => "whole".into(),
        Window::Last(ns) => format!("last {}s", ns / SECOND),
        Window::Seconds(from, to) => format!("{from}s to {to}s"),
    }
}

/// The phase called `steady`, or the first measured one.
pub(crate) fn steady(run: &Run) -> Window {
    let mut measured = run.header.phases.iter().filter(|phase| phase.measure);
    let first = measured.clone().next();
    let named = measured.find(|phase| phase.name == "steady");
    named.or(first).map_or(Window::Whole, |phase| Window::Phase(phase.name.clone()))
}
