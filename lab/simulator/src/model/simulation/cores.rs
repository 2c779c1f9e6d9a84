//! CPU: bursts become ready, run, and end.

use super::super::cpu::{Burst, Owner, Wake};
use super::{Simulation, kind};
use crate::engine::{Event, EventQueue, Handle, Slab};

impl<Q: EventQueue> Simulation<Q> {
    /// A burst of CPU becomes ready in a process.
    pub(super) fn submit(&mut self, process: u32, owner: Owner, demand_ns: u64) {
        let now_ns = self.events.now_ns();
        let burst = Burst { process, owner, demand_ns, since_ns: now_ns };
        let is_message = match owner {
            Owner::Frame(handle) if self.system.processes[process as usize].has_driver() => {
                let frame = self.frames.get_mut(handle);
                let is_message = frame.is_some_and(|frame| std::mem::take(&mut frame.is_message));
                if self.polling == Some(process) {
                    // A poll goes on until it has to wait.
                    self.polling = None;
                    return self.run_burst(burst);
                }
                is_message
            }
            _ => false,
        };
        if let Some(burst) = self.system.processes[process as usize].submit(burst, is_message, now_ns) {
            self.run_burst(burst);
        }
        self.wake_threads(process);
    }

    /// What threads begin that others have woken.
    fn wake_threads(&mut self, process: u32) {
        loop {
            let (frames, queries) = (&self.frames, &self.queries);
            let woken = &mut self.system.processes[process as usize];
            let woken = woken.woken_thread(self.events.now_ns(), is_wanted(frames, queries));
            let Some(burst) = woken else { return };
            self.run_burst(burst);
        }
    }

    /// A burst that has a thread competes for a core.
    pub(super) fn run_burst(&mut self, burst: Burst) {
        let process = &mut self.system.processes[burst.process as usize];
        let host = process.host;
        let cpu = &mut self.system.hosts[host as usize];
        let before = cpu.contended();
        let wake = cpu.start(burst, self.events.now_ns());
        process.contended.add(cpu.contended().since(before));
        self.arm_core(host, wake);
    }

    pub(super) fn arm_core(&mut self, host: u32, wake: Option<Wake>) {
        if let Some(Wake { delay_ns, core }) = wake {
            let index = self.system.first_core[host as usize] + core;
            let seq = self.events.after(delay_ns, kind::CORE, index);
            self.system.hosts[host as usize].armed(core, seq);
        }
    }

    pub(super) fn on_core(&mut self, event: Event) {
        let host = self.system.host_of_core[event.index as usize];
        let core = event.index - self.system.first_core[host as usize];
        loop {
            let cpu = &mut self.system.hosts[host as usize];
            let (ended, wake) = cpu.on_wake(core, event.seq, event.time_ns);
            self.arm_core(host, wake);
            let Some(burst) = ended else { break };
            self.burst_ended(burst);
        }
    }

    fn burst_ended(&mut self, burst: Burst) {
        let process = &mut self.system.processes[burst.process as usize];
        process.used_ns += burst.demand_ns;
        if let (true, Owner::Frame(handle)) = (process.has_driver(), burst.owner) {
            self.polling = Some(burst.process);
            self.advance(handle);
            if self.polling.take().is_some() {
                self.free_thread(&burst);
            }
            return;
        }
        self.free_thread(&burst);
        match burst.owner {
            Owner::Frame(handle) => self.advance(handle),
            Owner::Blocking(handle) => self.step_done(handle),
            Owner::Query(handle) => self.query_ran(handle),
        }
    }

    /// A thread has nothing to go on with: the next burst gets it.
    fn free_thread(&mut self, burst: &Burst) {
        let (frames, queries) = (&self.frames, &self.queries);
        let process = &mut self.system.processes[burst.process as usize];
        let next = process.finish(burst, self.events.now_ns(), is_wanted(frames, queries));
        if let Some(next) = next {
            self.run_burst(next);
        }
        self.wake_threads(burst.process);
    }

    pub(super) fn process_of(&self, instance: u32) -> u32 {
        self.system.instances[instance as usize].process
    }

    /// The step that a frame waited for is over.
    pub(super) fn step_done(&mut self, handle: Handle) {
        if let Some(frame) = self.frames.get_mut(handle) {
            frame.pc += 1;
            self.advance(handle);
        }
    }
}

/// Whether what a burst is for has not gone in the meantime.
pub(super) fn is_wanted<'a, F, R>(frames: &'a Slab<F>, queries: &'a Slab<R>) -> impl Fn(&Burst) -> bool + 'a {
    move |burst| match burst.owner {
        Owner::Frame(handle) | Owner::Blocking(handle) => frames.get(handle).is_some(),
        Owner::Query(handle) => queries.get(handle).is_some(),
    }
}
