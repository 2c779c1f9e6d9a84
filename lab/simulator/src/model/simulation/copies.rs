//! A copy starts, is listed, drains and leaves, as a live process does.

use std::collections::BTreeMap;

use policy::drain::{DRAIN_DEADLINE, DRAIN_GRACE};

use super::super::change::{CopyWork, Note};
use super::super::frame::Parent;
use super::super::report::Requests;
use super::copy_sets::Build;
use super::requests::Clients;
use super::{Simulation, kind};
use crate::engine::{Event, EventQueue};

/// How often a process that drains looks whether anything is under way, ns.
const POLL_INTERVAL_NS: u64 = 5_000_000;

/// A process that drains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draining {
    process: u32,
    /// When what is still under way is cut off, ns.
    until_ns: u64,
    /// Whether it is gone for good then.
    leaves: bool,
}

impl<Q: EventQueue> Simulation<Q> {
    /// Where changes of copies stood, as it happened.
    pub fn notes(&self) -> &[Note] {
        self.changes.notes()
    }

    /// What came of the requests that have ended so far, by source and operation.
    pub fn requests_so_far(&self) -> BTreeMap<String, Requests> {
        self.clients.iter().flat_map(Clients::so_far).collect()
    }

    /// Processes that steps have yet to add, or have removed.
    pub fn absent(&self) -> impl Iterator<Item = &str> {
        self.system.processes.iter().filter(|process| process.is_gone).map(|process| process.name.as_str())
    }

    /// What each copy did so far of the processes whose copies steps change, by its name.
    pub fn copies_work(&self) -> BTreeMap<String, CopyWork> {
        let name = |process: u32| &self.system.processes[process as usize].name;
        let copies = self.changes.copies.sets.iter().flat_map(|set| &set.processes);
        let mut work: BTreeMap<String, CopyWork> =
            copies.map(|process| (name(*process).clone(), CopyWork::default())).collect();
        if work.is_empty() {
            return work;
        }
        for (instance, number) in self.system.instances.iter().zip(0..) {
            let Some(of) = work.get_mut(name(instance.process)) else { continue };
            let counts = self.system.operations.iter().zip(self.changes.work_of(number));
            let counts = counts.filter(|(_, [served, _])| *served > 0);
            of.operations.extend(counts.map(|(operation, counts)| (operation.name.clone(), *counts)));
        }
        for connection in &self.system.connections {
            if let Some(of) = work.get_mut(name(connection.process)) {
                of.tries += connection.edge.counts.tries;
            }
        }
        work
    }

    /// A process starts, with a build and a weight; [`Simulation::copy_serves`] once callers know it.
    pub(super) fn start_copy(&mut self, process: u32, build: Build, weight: u32) {
        self.changes.copies.set_build(process, build);
        self.joins(process, weight);
        let start_ns = self.changes.copies.start_ns(process);
        let seq = self.events.after(start_ns, kind::STARTED, process);
        self.changes.starting.insert(process, seq);
    }

    pub(super) fn on_started(&mut self, event: Event) {
        if self.changes.starting.get(&event.index) != Some(&event.seq) {
            return;
        }
        self.changes.starting.remove(&event.index);
        let process = &mut self.system.processes[event.index as usize];
        (process.is_up, process.is_gone, process.is_closed) = (true, false, false);
        let defect = self.defect_of(event.index);
        self.active.extend(defect);
        self.announces_itself(event.index, true);
        if !self.has_registry(event.index) {
            self.copy_serves(event.index);
        }
    }

    /// Callers know of a process.
    pub(super) fn copy_serves(&mut self, process: u32) {
        self.resume_changes(process);
    }

    /// A process drains: it is taken off the list, still takes what comes for a moment, ends what is under way, and dies;
    /// `leaves` for good. At the latest after `within_ns` it is killed.
    pub(super) fn drain_copy(&mut self, process: u32, within_ns: u64, leaves: bool) {
        if !self.system.processes[process as usize].is_up {
            // What was about to start does not.
            self.changes.starting.remove(&process);
            return self.copy_ended(process, leaves);
        }
        if let Some(known) = self.changes.draining.iter_mut().find(|known| known.process == process) {
            known.leaves |= leaves;
            return;
        }
        // A paused process cannot drain.
        if self.system.processes[process as usize].is_paused {
            self.resume_process(process);
        }
        self.withdraws(process);
        let (grace_ns, deadline_ns) = (DRAIN_GRACE.as_nanos() as u64, DRAIN_DEADLINE.as_nanos() as u64);
        let until_ns = self.events.now_ns() + within_ns.min(grace_ns + deadline_ns);
        self.changes.draining.push(Draining { process, until_ns, leaves });
        self.events.after(grace_ns.min(within_ns), kind::DRAIN, process);
    }

    pub(super) fn on_drain(&mut self, process: u32) {
        let found = self.changes.draining.iter().position(|known| known.process == process);
        let Some(at) = found else { return };
        let Draining { until_ns, leaves, .. } = self.changes.draining[at];
        self.system.processes[process as usize].is_closed = true;
        let now_ns = self.events.now_ns();
        if now_ns < until_ns && self.is_busy(process) {
            self.events.after(POLL_INTERVAL_NS.min(until_ns - now_ns), kind::DRAIN, process);
            return;
        }
        self.changes.draining.remove(at);
        self.kill(&[process]);
        self.copy_ended(process, leaves);
    }

    /// Whether calls of others, or what nothing waits for, are under way in a process.
    fn is_busy(&self, process: u32) -> bool {
        self.frames.iter().any(|(_, frame)| {
            matches!(frame.parent, Parent::Try(_) | Parent::Detached)
                && self.process_of(frame.instance) == process
        })
    }

    fn copy_ended(&mut self, process: u32, leaves: bool) {
        self.active.retain(|fault| !fault.is_of_copy(process));
        if leaves {
            self.system.processes[process as usize].is_gone = true;
            self.changes.copies.forget(process);
            self.has_left(process);
        }
        self.resume_changes(process);
    }
}
