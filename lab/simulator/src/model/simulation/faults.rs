//! What is injected: it begins, acts on calls and processes, and ends.

use fault::{CallFault, End, ProcessFault};
use policy::units::Ratio;

use super::super::edge::Outcome;
use super::super::frame::Parent;
use super::super::plan::{Effect, Plan};
use super::super::system::PlanError;
use super::cores::is_wanted;
use super::{Simulation, kind};
use crate::engine::{Draws, EventQueue, Handle, random};

/// A fault of a plan, with its targets by number.
#[derive(Debug)]
pub(super) struct ScheduledFault {
    end_ns: u64,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    Call(ActiveFault),
    Processes(Vec<u32>, ProcessFault),
}

/// A fault of calls.
#[derive(Clone, Debug)]
pub(super) struct ActiveFault {
    number: u32,
    draws: Draws,
    share: Ratio,
    fault: CallFault,
    target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// Whether each pair of caller and callee is meant, row by row.
    Edges(Vec<bool>),
    Component(u32),
    /// A component of one copy, or all that it holds.
    Copy(u32, Option<u32>),
}

impl ActiveFault {
    /// What the build of a process does to a share of the calls of a component of it, or of all, as long as it runs.
    pub fn of_copy(
        (process, component): (u32, Option<u32>),
        draws: Draws,
        share: Ratio,
        fault: CallFault,
    ) -> Self {
        // No step ends it.
        Self { number: u32::MAX, draws, share, fault, target: Target::Copy(process, component) }
    }

    /// Whether it comes with the build of a process.
    pub fn is_of_copy(&self, process: u32) -> bool {
        matches!(self.target, Target::Copy(of, _) if of == process)
    }
}

/// What happens to a try on the caller's side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EdgeFault {
    /// Before anything else, ns.
    pub delay_ns: u64,
    /// It ends so, and never leaves.
    pub end: Option<Outcome>,
    /// Nothing comes back, ever.
    pub is_lost: bool,
    /// It is worked on, and the answer does not come back.
    pub is_answer_lost: bool,
}

/// How a call ends that a fault ends; `None` where it hangs.
const fn outcome_of(end: End) -> Option<Outcome> {
    match end {
        End::Abort(status) => Some(Outcome::Failed(status)),
        End::Refuse => Some(Outcome::Refused),
        End::Reset => Some(Outcome::Reset),
        End::Hang => None,
        // Refused when the plan was read.
        End::Panic(_) => Some(Outcome::Failed(500)),
    }
}

impl<Q: EventQueue> Simulation<Q> {
    /// Adds the faults of a plan, in the order of their names.
    pub(super) fn add_faults(&mut self, plan: &Plan, seed: u64) -> Vec<PlanError> {
        let mut errors = Vec::new();
        let mut faults: Vec<_> = plan.faults.iter().collect();
        faults.sort_by(|a, b| a.name.cmp(&b.name));
        for (fault, number) in faults.into_iter().zip(0..) {
            let draws = Draws::new(seed, &format!("fault/{}", random::stream(&fault.name)));
            let active = |target, share: &Ratio, fault: &CallFault| {
                Act::Call(ActiveFault { number, draws, share: *share, fault: *fault, target })
            };
            let components = &self.system.components;
            let act = match &fault.effect {
                Effect::Edge(pattern, share, fault) => {
                    let pairs = components.iter().flat_map(|caller| {
                        components.iter().map(|callee| pattern.matches(&caller.name, &callee.name))
                    });
                    active(Target::Edges(pairs.collect()), share, fault)
                }
                Effect::Component(name, share, fault) => {
                    let Some(at) = components.iter().position(|component| component.name == *name) else {
                        errors.push(PlanError(format!("a fault names unknown component `{name}`")));
                        continue;
                    };
                    active(Target::Component(at as u32), share, fault)
                }
                Effect::Processes(names, fault) => {
                    let mut numbers = Vec::new();
                    for name in names {
                        match self.system.process(name) {
                            Some(number) => numbers.push(number),
                            None => {
                                errors.push(PlanError(format!("a fault names unknown process `{name}`")));
                            }
                        }
                    }
                    Act::Processes(numbers, *fault)
                }
            };
            self.scheduled.push(ScheduledFault { end_ns: fault.end_ns, act });
            self.events.at(fault.start_ns, kind::FAULT_START, number);
        }
        errors
    }

    pub(super) fn on_fault_start(&mut self, number: u32) {
        let ScheduledFault { end_ns, act } = &self.scheduled[number as usize];
        let end_ns = *end_ns;
        match act.clone() {
            Act::Call(fault) => {
                self.active.push(fault);
                self.events.at(end_ns, kind::FAULT_END, number);
            }
            Act::Processes(processes, ProcessFault::Pause) => {
                processes.into_iter().for_each(|process| self.pause(process));
                self.events.at(end_ns, kind::FAULT_END, number);
            }
            Act::Processes(processes, ProcessFault::Kill(restart)) => {
                self.kill(&processes);
                if let Some(after) = restart {
                    self.events.after(after.nanos(), kind::RESTART, number);
                }
            }
            Act::Processes(..) => unreachable!("refused when the plan was read"),
        }
    }

    pub(super) fn on_fault_end(&mut self, number: u32) {
        self.active.retain(|fault| fault.number != number);
        if let Act::Processes(processes, _) = self.scheduled[number as usize].act.clone() {
            processes.into_iter().for_each(|process| self.resume_process(process));
        }
    }

    /// The faults that a try meets on its caller's side.
    pub(super) fn meet_edge_faults(&self, edge: u32, key: u64) -> EdgeFault {
        let mut met = EdgeFault::default();
        if self.active.is_empty() {
            return met;
        }
        let connection = &self.system.connections[edge as usize];
        let pair = connection.caller as usize * self.system.components.len() + connection.callee as usize;
        for ActiveFault { draws, share, fault, target, .. } in &self.active {
            let is_meant = matches!(target, Target::Edges(pairs) if pairs[pair]);
            if !is_meant || random::unit(draws.bits(key)) >= share.get() {
                continue;
            }
            met.delay_ns += fault.delay.as_nanos() as u64;
            met.is_answer_lost |= fault.answer_lost;
            if let Some(end) = fault.end.filter(|_| met.end.is_none() && !met.is_lost) {
                met.end = outcome_of(end);
                met.is_lost = met.end.is_none();
            }
        }
        met
    }

    /// The faults that a call meets at its component, while it has its slot. `false` where it waits, or has ended.
    pub(super) fn meet_component_faults(&mut self, handle: Handle) -> bool {
        let Some(frame) = self.frames.get_mut(handle) else { return false };
        let instance = &self.system.instances[frame.instance as usize];
        let (process, component) = (instance.process, instance.component);
        let is_meant = |target: &Target| match target {
            Target::Edges(_) => false,
            Target::Component(of) => *of == component,
            Target::Copy(copy, of) => *copy == process && of.is_none_or(|of| of == component),
        };
        let (mut delay_ns, mut end) = (0, None);
        for ActiveFault { draws, share, fault, target, .. } in &self.active {
            if is_meant(target) && random::unit(draws.bits(frame.key)) < share.get() {
                delay_ns += fault.delay.as_nanos() as u64;
                frame.slow *= fault.slow as f32;
                end = end.or(fault.end);
            }
        }
        match end.map(outcome_of) {
            // It waits until its caller has had enough.
            Some(None) => false,
            Some(Some(outcome)) => {
                self.fail(handle, outcome);
                false
            }
            None if delay_ns > 0 => {
                self.resume_after(handle, delay_ns);
                false
            }
            None => true,
        }
    }

    fn pause(&mut self, process: u32) {
        if !self.system.processes[process as usize].is_up {
            return;
        }
        let host = self.system.processes[process as usize].host;
        let (running, wakes) = self.system.hosts[host as usize].remove(process, self.events.now_ns());
        self.system.processes[process as usize].pause(running);
        for wake in wakes {
            self.arm_core(host, Some(wake));
        }
        self.falls_silent(process);
    }

    pub(super) fn resume_process(&mut self, process: u32) {
        let now_ns = self.events.now_ns();
        let (frames, queries) = (&self.frames, &self.queries);
        let running = self.system.processes[process as usize].resume(now_ns, is_wanted(frames, queries));
        for burst in running {
            self.run_burst(burst);
        }
        if self.system.processes[process as usize].is_up {
            self.announces_itself(process, false);
        }
    }

    /// Processes die, all at once: connections to them break, what they did is gone, what they asked for is called off.
    pub(super) fn kill(&mut self, processes: &[u32]) {
        let now_ns = self.events.now_ns();
        let mut dies = vec![false; self.system.processes.len()];
        for process in processes {
            if !self.system.processes[*process as usize].is_up {
                continue;
            }
            dies[*process as usize] = true;
            let host = self.system.processes[*process as usize].host;
            let (_, wakes) = self.system.hosts[host as usize].remove(*process, now_ns);
            self.system.processes[*process as usize].kill(now_ns);
            for wake in wakes {
                self.arm_core(host, Some(wake));
            }
            self.falls_silent(*process);
        }
        let frames: Vec<Handle> = self
            .frames
            .iter()
            .filter(|(_, frame)| dies[self.process_of(frame.instance) as usize])
            .map(|(handle, _)| handle)
            .collect();
        for handle in frames {
            self.kill_frame(handle);
        }
        self.kill_queries(&dies);
        for instance in self.system.instances.iter_mut().filter(|instance| dies[instance.process as usize]) {
            if let Some(pool) = &mut instance.pool {
                pool.reset(now_ns, |_| false);
            }
        }
        let instances = &self.system.instances;
        self.freed.retain(|instance| !dies[instances[*instance as usize].process as usize]);
    }

    fn kill_frame(&mut self, handle: Handle) {
        let Some(parent) = self.frames.get(handle).map(|frame| frame.parent) else { return };
        match parent {
            // Those go with the frame that waits for them.
            Parent::Caller(_) | Parent::Fork(_) => {}
            Parent::Detached => self.cancel_frame(handle),
            Parent::Client(..) => self.client_leaves(handle),
            Parent::Try(attempt) => {
                self.cancel_frame(handle);
                self.answer(attempt, Outcome::Reset);
            }
        }
    }

    fn kill_queries(&mut self, dies: &[bool]) {
        let now_ns = self.events.now_ns();
        let killed: Vec<Handle> = self
            .queries
            .iter()
            .filter(|(_, query)| dies[query.process as usize])
            .map(|(handle, _)| handle)
            .collect();
        // Those that wait go first, or they would be given what the others leave.
        for handle in &killed {
            if let Some(query) = self.queries.get(*handle).filter(|query| !query.is_connected) {
                let (database, is_write, since_ns) = (query.database, query.is_write, query.since_ns);
                // One that commits together with others waits for no connection.
                if !self.is_committing(*handle) {
                    self.system.databases[database as usize].pool(is_write).abandon(now_ns, since_ns);
                }
                self.queries.remove(*handle);
            }
        }
        for handle in killed {
            self.disconnect(handle);
            self.queries.remove(handle);
        }
    }

    fn is_committing(&self, handle: Handle) -> bool {
        self.queries.get(handle).is_some_and(|query| {
            query.is_write && self.system.databases[query.database as usize].is_committing(handle)
        })
    }

    pub(super) fn on_restart(&mut self, number: u32) {
        if let Act::Processes(mut processes, _) = self.scheduled[number as usize].act.clone() {
            // What a step has removed in the meantime stays away.
            processes.retain(|process| !self.system.processes[*process as usize].is_gone);
            for process in &processes {
                self.system.processes[*process as usize].is_up = true;
            }
            processes.into_iter().for_each(|process| self.announces_itself(process, true));
        }
    }
}
