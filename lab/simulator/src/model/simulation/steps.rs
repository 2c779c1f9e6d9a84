//! Programs are carried out, step by step, until a frame has to wait.

use super::super::cpu::Owner;
use super::super::edge::Outcome;
use super::super::frame::{Frame, Parent, Waits};
use super::super::pool::Entry;
use super::super::system::Route;
use super::super::work::{Program, Step};
use super::cancel::is_waiting;
use super::{Simulation, kind};
use crate::engine::{Draws, Event, EventQueue, Handle, random};

/// First of the steps of a key for branches, so that they differ from those of calls.
const BRANCH_DRAW: u64 = 0x1000;
/// Step of a key for another turn of a loop.
const LOOP_DRAW: u64 = 0x2000;

/// The sample of a number, as long as the frame is slow.
fn draw(program: &Program, sample: u16, frame: &Frame) -> u64 {
    let sample = &program.samples[sample as usize];
    let ns = sample.distribution.sample(sample.draws.bits(frame.key));
    if frame.slow > 1.0 { (ns as f64 * f64::from(frame.slow)) as u64 } else { ns }
}

/// Whether the dice of a sample fall within its share.
fn falls_within(program: &Program, sample: u16, frame: &Frame) -> bool {
    let sample = &program.samples[sample as usize];
    random::unit(sample.draws.bits(frame.key)) < sample.share
}

impl<Q: EventQueue> Simulation<Q> {
    /// Goes on with a frame until it has to wait.
    pub(super) fn advance(&mut self, handle: Handle) {
        loop {
            let Some(frame) = self.frames.get_mut(handle) else { return };
            frame.waits = Waits::Work;
            let program = &self.system.programs[frame.program as usize];
            let step = program.steps[frame.pc as usize];
            let process = self.system.instances[frame.instance as usize].process;
            if frame.debt_ns > 0 && is_wait(step) {
                let demand_ns = std::mem::take(&mut frame.debt_ns);
                return self.submit(process, Owner::Frame(handle), demand_ns);
            }
            match step {
                Step::Enter => {
                    if !self.enter(handle) {
                        return;
                    }
                }
                Step::Cpu(sample) => {
                    let ns = draw(program, sample, frame);
                    frame.debt_ns += self.system.processes[process as usize].due(ns, frame.cold_cpu);
                    frame.pc += 1;
                }
                Step::Send(call) => {
                    let sender = &mut self.system.processes[process as usize];
                    let site = &self.system.operations[frame.program as usize].sites[call as usize];
                    let first = self.system.instances[frame.instance as usize].first_route;
                    frame.debt_ns += match self.system.routes[(first + site.route) as usize] {
                        Route::Local(_) => sender.costs.local + sender.costs.span,
                        Route::Remote(_) => sender.due(sender.costs.send, frame.cold_cpu) + sender.costs.span,
                    };
                    frame.pc += 1;
                }
                Step::Reply => {
                    if matches!(frame.parent, Parent::Try(_)) {
                        let replier = &mut self.system.processes[process as usize];
                        frame.debt_ns += replier.due(replier.costs.reply, frame.cold_cpu);
                    }
                    frame.pc += 1;
                }
                Step::Unless { sample, to } => {
                    frame.pc = if falls_within(program, sample, frame) { frame.pc + 1 } else { to };
                }
                Step::Again { sample, to } => {
                    if falls_within(program, sample, frame) {
                        frame.key = Draws::derive(frame.key, LOOP_DRAW);
                        frame.pc = to;
                    } else {
                        frame.pc += 1;
                    }
                }
                Step::Jump(to) => frame.pc = to,
                Step::Blocking(sample) => {
                    let demand_ns = draw(program, sample, frame);
                    return self.submit(process, Owner::Blocking(handle), demand_ns);
                }
                Step::Wait(sample) => {
                    let delay_ns = draw(program, sample, frame);
                    frame.pc += 1;
                    return self.resume_after(handle, delay_ns);
                }
                Step::Read(sample) | Step::Write(sample) => {
                    let (ns, key) = (draw(program, sample, frame), frame.key);
                    let demand_ns = self.system.processes[process as usize].due(ns, frame.cold_cpu);
                    let is_write = matches!(step, Step::Write(_));
                    return self.query(handle, demand_ns, is_write, key);
                }
                Step::Call(call) => return self.call(handle, call),
                Step::Fork { first, count, need } => return self.fork(handle, first, count, need),
                Step::Spawn(branch) => {
                    frame.pc += 1;
                    let pc = program.branches[branch as usize];
                    let branch = self.branch(handle, Parent::Detached, pc, u64::from(branch));
                    if let Some(branch) = branch {
                        // A task of its own: it does not go on with the thread of this one.
                        let polling = self.polling.take();
                        self.advance(branch);
                        self.polling = polling;
                    }
                }
                Step::End => return self.complete(handle),
            }
        }
    }

    /// Goes on with a frame when time has passed.
    pub(super) fn resume_after(&mut self, handle: Handle, delay_ns: u64) {
        let seq = self.events.after(delay_ns, kind::RESUME, handle.index);
        if let Some(frame) = self.frames.get_mut(handle) {
            frame.armed = seq;
        }
    }

    pub(super) fn on_resume(&mut self, event: Event) {
        let is_meant = self.frames.at(event.index).is_some_and(|frame| frame.armed == event.seq);
        if let Some(handle) = self.frames.handle_at(event.index).filter(|_| is_meant) {
            if let Some(frame) = self.frames.get_mut(handle) {
                frame.is_message = true;
            }
            self.advance(handle);
        }
    }

    /// A frame gets a slot of its component, and meets its faults. `false` where it waits, or has come to its end.
    fn enter(&mut self, handle: Handle) -> bool {
        let now_ns = self.events.now_ns();
        let Some(frame) = self.frames.get_mut(handle) else { return false };
        let instance = &mut self.system.instances[frame.instance as usize];
        if let Some(pool) = instance.pool.as_mut().filter(|_| !frame.has_slot) {
            if frame.debt_ns > 0 {
                let (process, demand_ns) = (instance.process, std::mem::take(&mut frame.debt_ns));
                self.submit(process, Owner::Frame(handle), demand_ns);
                return false;
            }
            let entry = pool.enter(handle, now_ns, is_waiting(&self.frames));
            match entry {
                Entry::Served => self.has_slot(handle),
                Entry::Waits => {
                    self.waits_for_slot(handle, now_ns);
                    return false;
                }
                Entry::Displaces(oldest) => {
                    self.waits_for_slot(handle, now_ns);
                    self.fail(oldest, Outcome::Shed);
                    return false;
                }
                Entry::Refused => {
                    self.fail(handle, Outcome::Shed);
                    return false;
                }
            }
        }
        let Some(frame) = self.frames.get_mut(handle) else { return false };
        if frame.deadline_ns <= now_ns {
            self.fail(handle, Outcome::Failed(504));
            return false;
        }
        if !frame.is_entered {
            frame.is_entered = true;
            if !self.active.is_empty() && !self.meet_component_faults(handle) {
                return false;
            }
        }
        if let Some(frame) = self.frames.get_mut(handle) {
            frame.pc += 1;
        }
        true
    }

    pub(super) fn has_slot(&mut self, handle: Handle) {
        if let Some(frame) = self.frames.get_mut(handle) {
            (frame.has_slot, frame.waits) = (true, Waits::Work);
        }
    }

    fn waits_for_slot(&mut self, handle: Handle, now_ns: u64) {
        if let Some(frame) = self.frames.get_mut(handle) {
            frame.waits = Waits::Slot(now_ns);
        }
    }

    /// A branch of a frame, at a step of its program.
    fn branch(&mut self, of: Handle, parent: Parent, pc: u16, number: u64) -> Option<Handle> {
        let now_ns = self.events.now_ns();
        let frame = self.frames.get(of)?;
        let key = Draws::derive(frame.key, BRANCH_DRAW + number);
        let mut branch = Frame::new(parent, frame.program, frame.instance, key, now_ns);
        (branch.deadline_ns, branch.slow, branch.attempt) = (frame.deadline_ns, frame.slow, frame.attempt);
        (branch.pc, branch.is_entered, branch.cold_cpu) = (pc, true, frame.cold_cpu);
        branch.is_detached = frame.is_detached || parent == Parent::Detached;
        Some(self.frames.insert(branch))
    }

    fn fork(&mut self, handle: Handle, first: u16, count: u16, need: u16) {
        let Some(frame) = self.frames.get(handle) else { return };
        let program = frame.program as usize;
        let mut branches = Vec::with_capacity(count as usize);
        for number in first..first + count {
            let pc = self.system.programs[program].branches[number as usize];
            let Some(branch) = self.branch(handle, Parent::Fork(handle), pc, u64::from(number)) else {
                return;
            };
            branches.push(branch);
        }
        if let Some(frame) = self.frames.get_mut(handle) {
            (frame.branches, frame.needed) = (count, need);
            frame.waits = Waits::Branches(branches.into());
        }
        for number in 0..count as usize {
            // A branch that is done at once may be the last that was needed.
            let Some(frame) = self.frames.get(handle) else { return };
            let Waits::Branches(branches) = &frame.waits else { return };
            self.advance(branches[number]);
        }
    }

    fn branch_done(&mut self, parent: Handle, outcome: Outcome) {
        let Some(frame) = self.frames.get_mut(parent) else { return };
        if !matches!(frame.waits, Waits::Branches(_)) {
            return;
        }
        frame.branches -= 1;
        frame.needed -= u16::from(outcome == Outcome::Done);
        let is_failed = frame.branches < frame.needed;
        if frame.needed > 0 && !is_failed {
            return;
        }
        if let Waits::Branches(branches) = std::mem::replace(&mut frame.waits, Waits::Work) {
            for branch in branches {
                self.cancel_frame(branch);
            }
        }
        if is_failed {
            self.fail(parent, outcome.passed_on());
        } else {
            self.step_done(parent);
        }
    }

    /// A frame ends early: it answers at once, or its branch is over.
    pub(super) fn fail(&mut self, handle: Handle, outcome: Outcome) {
        self.fail_with(handle, outcome);
        self.advance(handle);
    }

    /// What a frame goes on with has failed: its last steps are next.
    fn fail_with(&mut self, handle: Handle, outcome: Outcome) {
        let Some(frame) = self.frames.get_mut(handle) else { return };
        let end = self.system.programs[frame.program as usize].steps.len() as u16 - 1;
        let is_branch = matches!(frame.parent, Parent::Fork(_) | Parent::Detached);
        (frame.outcome, frame.pc) = (outcome, if is_branch { end } else { end - 1 });
    }

    /// A frame is done: what waits for it goes on.
    fn complete(&mut self, handle: Handle) {
        let Some(frame) = self.frames.remove(handle) else { return };
        if frame.has_slot {
            self.free_slot(frame.instance);
        }
        if matches!(frame.parent, Parent::Try(_) | Parent::Caller(_)) && frame.outcome == Outcome::Done {
            self.served[frame.program as usize].record(self.events.now_ns() - frame.since_ns);
            if let Parent::Try(attempt) = frame.parent {
                let is_awaited = self.tries.get(attempt).is_some_and(|record| record.pass.is_some());
                self.wasted[frame.program as usize] += u64::from(!is_awaited);
                self.changes.count(frame.instance, frame.program, !is_awaited);
            } else {
                self.changes.count(frame.instance, frame.program, false);
            }
        }
        match frame.parent {
            Parent::Detached => {}
            Parent::Client(number, due_ns) => {
                self.request_ended(number, due_ns, frame.program, frame.outcome)
            }
            Parent::Try(attempt) => self.answer(attempt, frame.outcome),
            Parent::Caller(caller) => self.returned(caller, frame.outcome),
            Parent::Fork(parent) => self.branch_done(parent, frame.outcome),
        }
    }

    /// A call of a frame is over.
    pub(super) fn returned(&mut self, caller: Handle, outcome: Outcome) {
        if outcome == Outcome::Done {
            self.step_done(caller);
        } else {
            self.fail(caller, outcome.passed_on());
        }
    }

    /// The same when time has passed: until then the frame waits for nothing else.
    pub(super) fn returned_after(&mut self, caller: Handle, outcome: Outcome, delay_ns: u64) {
        if delay_ns == 0 {
            return self.returned(caller, outcome);
        }
        if outcome == Outcome::Done {
            if let Some(frame) = self.frames.get_mut(caller) {
                frame.pc += 1;
            }
        } else {
            self.fail_with(caller, outcome.passed_on());
        }
        if let Some(frame) = self.frames.get_mut(caller) {
            frame.waits = Waits::Work;
        }
        self.resume_after(caller, delay_ns);
    }
}

/// Whether a frame has to have used its CPU before a step.
const fn is_wait(step: Step) -> bool {
    match step {
        Step::Enter
        | Step::Cpu(_)
        | Step::Send(_)
        | Step::Reply
        | Step::Unless { .. }
        | Step::Again { .. }
        | Step::Jump(_)
        | Step::Spawn(_) => false,
        Step::Blocking(_)
        | Step::Wait(_)
        | Step::Read(_)
        | Step::Write(_)
        | Step::Call(_)
        | Step::Fork { .. }
        | Step::End => true,
    }
}
