//! Changes of copies in motion: each is a script whose lines are carried out one after another, as the conductor does with the
//! steps of a live run. `script`: which lines. `copies`: what a copy goes through.

use std::collections::{BTreeMap, VecDeque};

use model::processes::CPU_NS;
use policy::Autoscaler;
use policy::autoscale::Target;
use policy::balance::COPY_WEIGHT;

use super::super::change::{ChangeAction, ChangePlan, ChangeWatch, Moment, Note};
use super::super::plan::Plan;
use super::super::system::PlanError;
use super::copies::Draining;
use super::copy_sets::{CopySet, CopySets};
use super::faults::ActiveFault;
use super::script::{DRAIN_NS, Line, next_lines};
use super::{Simulation, kind};
use crate::engine::{Draws, EventQueue, random};

/// How often an autoscaler decides, ns: processes of a live run are sampled once a second.
const DECISION_INTERVAL_NS: u64 = 1_000_000_000;

/// The changes of a plan, and the copies that they are about.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub copies: CopySets,
    plans: Vec<ChangePlan>,
    tasks: Vec<Task>,
    /// Tasks that wait until a process serves or has left.
    awaited: Vec<(u32, u32)>,
    pub draining: Vec<Draining>,
    /// Processes that are about to serve, and the event at which they do.
    pub starting: BTreeMap<u32, u32>,
    /// Dice of the defect of each change's build.
    draws: Vec<Draws>,
    /// Calls served and, of them, those whose caller had given up, by instance and program; empty where nothing changes.
    work: Vec<[u64; 2]>,
    programs: usize,
    notes: Vec<Note>,
}

/// A change being carried out.
#[derive(Debug)]
struct Task {
    change: u32,
    lines: VecDeque<Line>,
    /// Processes that it waits for.
    awaits: usize,
    canary: Option<u32>,
    /// Since when, and until when, what it deployed is watched, ns; and whether it has passed.
    watch: Option<(u64, u64)>,
    passes: bool,
    autoscaler: Option<Autoscaler>,
    /// What the copies had done at moments of late, the newest last.
    samples: VecDeque<(u64, f64)>,
}

impl Changes {
    /// A call was served; its caller may have given up.
    pub fn count(&mut self, instance: u32, program: u32, is_wasted: bool) {
        let at = instance as usize * self.programs + program as usize;
        if let Some([served, wasted]) = self.work.get_mut(at) {
            *served += 1;
            *wasted += u64::from(is_wasted);
        }
    }

    /// Calls that an instance served, and of them those whose caller had given up, by program.
    pub fn work_of(&self, instance: u32) -> &[[u64; 2]] {
        let first = instance as usize * self.programs;
        self.work.get(first..first + self.programs).unwrap_or_default()
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl<Q: EventQueue> Simulation<Q> {
    /// Adds the changes of a plan, in the order of their names.
    pub(super) fn add_changes(&mut self, plan: &Plan, seed: u64) -> Vec<PlanError> {
        let mut errors = Vec::new();
        let mut sets: Vec<_> = plan.copies.iter().collect();
        sets.sort_by(|a, b| a.name.cmp(&b.name));
        for copies in sets {
            let find = |name: &String| {
                let found = self.system.process(name);
                found.ok_or_else(|| PlanError(format!("a change names unknown process `{name}`")))
            };
            let found: Result<Vec<u32>, PlanError> = copies.copies.iter().map(find).collect();
            let processes = match found {
                Ok(processes) => processes,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            if !copies.has_one_port && processes.iter().any(|process| !self.has_registry(*process)) {
                errors.push(PlanError(format!("no registry lists `{}`, whose copies change", copies.name)));
            }
            for process in processes.iter().skip(copies.first as usize) {
                let of = &mut self.system.processes[*process as usize];
                (of.is_up, of.is_gone) = (false, true);
                self.stands_by(*process);
            }
            self.changes.copies.sets.push(CopySet {
                name: copies.name.clone(),
                processes,
                present: (0..copies.first).collect(),
                start_ns: copies.start_ns,
                has_one_port: copies.has_one_port,
            });
        }
        if !self.changes.copies.sets.is_empty() {
            self.changes.programs = self.system.programs.len();
            self.changes.work = vec![[0; 2]; self.system.instances.len() * self.changes.programs];
        }
        let mut changes = plan.changes.clone();
        changes.sort_by(|a, b| a.name.cmp(&b.name));
        for (change, number) in changes.into_iter().zip(0..) {
            let mut numbers = Vec::new();
            for name in &change.copies {
                match self.changes.copies.sets.iter().position(|set| set.name == *name) {
                    Some(set) => numbers.push(set as u32),
                    None => {
                        let text = format!("`{}` names unknown copies `{name}`", change.name);
                        errors.push(PlanError(text));
                    }
                }
            }
            self.changes.draws.push(Draws::new(seed, &format!("build/{}", random::stream(&change.name))));
            self.add_tasks(&change, number, numbers);
            self.changes.plans.push(change);
        }
        errors
    }

    /// A task for a change; for an autoscaler one for each process, since each is scaled by itself.
    fn add_tasks(&mut self, change: &ChangePlan, number: u32, sets: Vec<u32>) {
        let mut add = |start_ns: u64, lines: Vec<Line>, autoscaler: Option<Autoscaler>| {
            let task = self.changes.tasks.len() as u32;
            self.changes.tasks.push(Task {
                change: number,
                lines: lines.into(),
                awaits: 0,
                canary: None,
                watch: None,
                passes: false,
                autoscaler,
                samples: VecDeque::new(),
            });
            self.events.at(start_ns, kind::CHANGE, task);
        };
        let ChangeAction::Autoscale(options, _) = &change.action else {
            return add(change.start_ns, vec![Line::Begin(sets)], None);
        };
        for set in sets {
            let CopySet { name, has_one_port, .. } = &self.changes.copies.sets[set as usize];
            if *has_one_port {
                add(change.start_ns, vec![Line::Note(Moment::HasOnePort(name.clone()))], None);
                continue;
            }
            // What it decides by first is what the copies did before.
            let lines = vec![Line::Sample(set), Line::Until(change.start_ns), Line::Decide(set)];
            add(change.start_ns.saturating_sub(CPU_NS), lines, Some(Autoscaler::new(*options)));
        }
    }

    /// A task goes on until it has to wait.
    pub(super) fn run_task(&mut self, task: u32) {
        while let Some(line) = self.changes.tasks[task as usize].lines.pop_front() {
            if self.carry_out(task, line) {
                return;
            }
        }
    }

    /// Tasks go on that wait for a process.
    pub(super) fn resume_changes(&mut self, process: u32) {
        let awaited = std::mem::take(&mut self.changes.awaited);
        let (meant, others): (Vec<_>, Vec<_>) = awaited.into_iter().partition(|(of, _)| *of == process);
        self.changes.awaited = others;
        for (_, task) in meant {
            let of = &mut self.changes.tasks[task as usize];
            of.awaits = of.awaits.saturating_sub(1);
            if of.awaits == 0 {
                self.run_task(task);
            }
        }
    }

    /// Changes that wait for whether what they deployed passes.
    pub fn watched(&self) -> Vec<ChangeWatch> {
        let watched = |task: &Task| {
            let (since_ns, until_ns) = task.watch?;
            let change = self.changes.plans[task.change as usize].name.clone();
            Some(ChangeWatch { change, since_ns, until_ns })
        };
        self.changes.tasks.iter().filter_map(watched).collect()
    }

    /// Takes in whether what a watched change deployed passes. The change goes on.
    pub fn judge(&mut self, change: &str, passes: bool) {
        for number in 0..self.changes.tasks.len() as u32 {
            let task = &mut self.changes.tasks[number as usize];
            let is_meant = self.changes.plans[task.change as usize].name == change;
            if task.watch.take_if(|_| is_meant).is_some() {
                task.passes = passes;
                self.run_task(number);
            }
        }
    }

    /// A task waits for processes.
    fn await_processes(&mut self, task: u32, processes: &[u32]) {
        self.changes.tasks[task as usize].awaits = processes.len();
        self.changes.awaited.extend(processes.iter().map(|process| (*process, task)));
    }

    /// Carries a line out. `true` where the task has to wait, or has gone on from here.
    fn carry_out(&mut self, task: u32, line: Line) -> bool {
        match line {
            Line::Note(moment) => self.note(task, moment),
            Line::NoteOf(change, moment) => self.note_of(change, moment),
            Line::NoteCanary => {
                let canary = self.changes.tasks[task as usize].canary;
                if let Some(process) = canary {
                    let name = self.system.processes[process as usize].name.clone();
                    self.note(task, Moment::Canary(name));
                }
            }
            Line::Add { set, build, weight, is_canary } => {
                let of = &mut self.changes.copies.sets[set as usize];
                let Some((number, process)) = of.next() else { return false };
                of.present.push(number);
                if is_canary {
                    self.changes.tasks[task as usize].canary = Some(process);
                }
                self.await_processes(task, &[process]);
                self.start_copy(process, build, weight);
                return true;
            }
            Line::Remove(processes) => return self.drain_all(task, &processes, DRAIN_NS, true),
            Line::RemoveCanary => {
                let canary = self.changes.tasks[task as usize].canary.take();
                self.prepend(task, vec![Line::Remove(canary.into_iter().collect())]);
            }
            Line::Stop(processes, within_ns) => return self.drain_all(task, &processes, within_ns, false),
            Line::Start(process, build) => {
                self.await_processes(task, &[process]);
                self.start_copy(process, build, COPY_WEIGHT);
                return true;
            }
            Line::Wait(length_ns) => {
                self.events.after(length_ns, kind::CHANGE, task);
                return true;
            }
            Line::Until(time_ns) => {
                self.events.at(time_ns, kind::CHANGE, task);
                return true;
            }
            Line::Pause { length_ns, end_ns } => {
                let time_ns = (self.events.now_ns() + length_ns).min(end_ns);
                self.events.at(time_ns, kind::CHANGE, task);
                return true;
            }
            Line::Watch(length_ns) => {
                let now_ns = self.events.now_ns();
                self.changes.tasks[task as usize].watch = Some((now_ns, now_ns + length_ns));
                return true;
            }
            Line::Judged { passes, fails } => {
                let has_passed = self.changes.tasks[task as usize].passes;
                self.prepend(task, if has_passed { passes } else { fails });
            }
            Line::Sample(set) => self.sample(task, set),
            Line::Decide(set) => self.decide(task, set),
            // What comes next depends on the copies there are.
            other => {
                let Task { change, canary, .. } = self.changes.tasks[task as usize];
                let lines = next_lines(
                    &mut self.changes.copies,
                    &self.changes.plans,
                    &self.system,
                    (change, canary),
                    other,
                );
                self.prepend(task, lines);
            }
        }
        false
    }

    /// Processes drain at once, for good or not; whether there is any to wait for.
    fn drain_all(&mut self, task: u32, processes: &[u32], within_ns: u64, leave: bool) -> bool {
        self.await_processes(task, processes);
        processes.iter().for_each(|process| self.drain_copy(*process, within_ns, leave));
        !processes.is_empty()
    }

    fn prepend(&mut self, task: u32, lines: Vec<Line>) {
        let of = &mut self.changes.tasks[task as usize].lines;
        lines.into_iter().rev().for_each(|line| of.push_front(line));
    }

    fn note(&mut self, task: u32, moment: Moment) {
        self.note_of(self.changes.tasks[task as usize].change, moment);
    }

    fn note_of(&mut self, change: u32, moment: Moment) {
        let (at_ns, change) = (self.events.now_ns(), self.changes.plans[change as usize].name.clone());
        self.changes.notes.push(Note { at_ns, change, moment });
    }

    /// Notes what the copies of a set have done so far, in the unit of the autoscaler's target.
    fn sample(&mut self, task: u32, set: u32) {
        let now_ns = self.events.now_ns();
        let total = self.done_by(task, set);
        let samples = &mut self.changes.tasks[task as usize].samples;
        // The newest of those from before the window is where it begins.
        while samples.get(1).is_some_and(|(at_ns, _)| at_ns + CPU_NS <= now_ns) {
            samples.pop_front();
        }
        samples.push_back((now_ns, total));
    }

    fn done_by(&self, task: u32, set: u32) -> f64 {
        let change = &self.changes.plans[self.changes.tasks[task as usize].change as usize];
        let ChangeAction::Autoscale(options, components) = &change.action else { return 0.0 };
        let processes = &self.changes.copies.sets[set as usize].processes;
        if matches!(options.target(), Some(Target::Cpu(_))) {
            let used = processes.iter().map(|process| self.system.processes[*process as usize].used_ns);
            return used.sum::<u64>() as f64 / 1e9;
        }
        let counted = (0_u32..).zip(&self.system.instances).filter(|(_, instance)| {
            let name = &self.system.components[instance.component as usize].name;
            processes.contains(&instance.process) && components.contains(name)
        });
        let work = counted.flat_map(|(number, _)| self.changes.work_of(number));
        work.map(|[served, _]| *served).sum::<u64>() as f64
    }

    /// An autoscaler decides how many copies there should be.
    fn decide(&mut self, task: u32, set: u32) {
        let now_ns = self.events.now_ns();
        let change = self.changes.tasks[task as usize].change;
        let end_ns = self.changes.plans[change as usize].end_ns;
        if now_ns >= end_ns {
            return;
        }
        self.sample(task, set);
        let (of, copies) = (&mut self.changes.tasks[task as usize], &self.changes.copies.sets[set as usize]);
        let total = match (of.samples.front(), of.samples.back()) {
            (Some((from_ns, before)), Some((to_ns, now))) if to_ns > from_ns => {
                Some((now - before) / ((to_ns - from_ns) as f64 / 1e9))
            }
            _ => None,
        };
        let from = copies.present.len() as u32;
        let Some(autoscaler) = &mut of.autoscaler else { return };
        // Copies that are paused or dead count, as in a live run.
        let to = autoscaler.decide(now_ns, from, total);
        let mut lines = Vec::new();
        if to != from {
            let process = copies.name.clone();
            lines.push(Line::Note(Moment::Resizing { process, from, to, total }));
            lines.push(Line::Resize(set, to));
        }
        lines.extend([Line::Pause { length_ns: DECISION_INTERVAL_NS, end_ns }, Line::Decide(set)]);
        self.prepend(task, lines);
    }

    /// The defect of the build that a process runs.
    pub(super) fn defect_of(&self, process: u32) -> Option<ActiveFault> {
        let change = self.changes.copies.build_of(process)?;
        let ChangeAction::Deploy(build, _) = &self.changes.plans[change as usize].action else { return None };
        let (component, share, fault) = build.defect.as_ref()?;
        let named = |name: &String| self.system.components.iter().position(|known| known.name == *name);
        let component = match component {
            Some(name) => Some(named(name)? as u32),
            None => None,
        };
        let draws = self.changes.draws[change as usize];
        Some(ActiveFault::of_copy((process, component), draws, *share, *fault))
    }
}
