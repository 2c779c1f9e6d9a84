//! A process: threads that serve calls, first come first served, and threads for blocking work.

use std::collections::VecDeque;

use super::cpu::Burst;
use super::driver::Driver;
use super::flow::Flow;
use super::plan::{HopCosts, ProcessPlan};
use super::surcharge::Surcharge;
use crate::dist::Distribution;

/// Threads of one kind, and the bursts that wait for one.
#[derive(Debug)]
pub struct Lane {
    threads: u32,
    running: u32,
    ready: VecDeque<Burst>,
    /// What waits for messages, where threads read them as tokio's do. Most have none.
    driver: Option<Box<Driver>>,
    flow: Flow,
}

impl Lane {
    /// So many threads, at least one.
    pub fn new(threads: u32) -> Self {
        let (ready, flow) = (VecDeque::new(), Flow::default());
        Self { threads: threads.max(1), running: 0, ready, driver: None, flow }
    }

    /// Whether none runs and none waits.
    pub fn is_idle(&self) -> bool {
        self.running == 0 && self.ready.is_empty()
    }

    /// Bursts that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.unread().count()
    }

    /// Whether Little's law holds of those that wait.
    pub fn is_balanced(&self) -> bool {
        self.flow.is_balanced(self.ready.iter().chain(self.unread()).map(|burst| burst.since_ns))
    }

    fn unread(&self) -> impl Iterator<Item = &Burst> {
        self.driver.iter().flat_map(|driver| driver.unread())
    }

    /// A burst becomes ready, by a message or by what another thread has done. Returns it if a thread is free for it; else it
    /// waits.
    fn start(&mut self, burst: Burst, is_message: bool, is_paused: bool, now_ns: u64) -> Option<Burst> {
        if is_message && let Some(driver) = self.driver.as_deref_mut() {
            if is_paused || !driver.wakes_reader(now_ns) {
                self.flow.enter(now_ns);
                driver.keep(burst, now_ns, &mut self.ready);
                return None;
            }
        } else if is_paused || self.running >= self.threads {
            self.flow.enter(now_ns);
            self.ready.push_back(burst);
            return None;
        } else if let Some(driver) = self.driver.as_deref_mut() {
            driver.wakes_another(self.running + 1 < self.threads);
        }
        self.running += 1;
        self.flow.pass_through();
        Some(burst)
    }

    /// The next that gets a thread: the first that waits and for which `is_wanted` holds.
    fn next(&mut self, now_ns: u64, is_wanted: &impl Fn(&Burst) -> bool) -> Option<Burst> {
        loop {
            while let Some(burst) = self.ready.pop_front() {
                self.flow.leave(now_ns, burst.since_ns);
                if is_wanted(&burst) {
                    self.running += 1;
                    return Some(burst);
                }
            }
            let driver = self.driver.as_deref_mut()?;
            if !driver.read(&mut self.ready) {
                return None;
            }
        }
    }

    /// The next that gets a thread that others have woken.
    fn woken(&mut self, now_ns: u64, is_wanted: &impl Fn(&Burst) -> bool) -> Option<Burst> {
        if !self.driver.as_deref().is_some_and(Driver::is_woken) {
            return None;
        }
        let found = if self.running < self.threads { self.next(now_ns, is_wanted) } else { None };
        if let Some(driver) = self.driver.as_deref_mut().filter(|_| found.is_none()) {
            driver.nothing_found();
        }
        found
    }

    /// All that runs and waits is gone.
    fn clear(&mut self, now_ns: u64) {
        let unread = self.driver.as_deref_mut().map(Driver::reset).unwrap_or_default();
        for burst in self.ready.drain(..).chain(unread) {
            self.flow.leave(now_ns, burst.since_ns);
        }
        self.running = 0;
    }

    /// Who has waited for a thread.
    pub const fn flow(&self) -> &Flow {
        &self.flow
    }
}

/// A process.
#[derive(Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its host.
    pub host: u32,
    /// Threads that serve calls.
    pub workers: Lane,
    /// Threads for blocking work.
    pub blocking: Lane,
    /// What its messages cost.
    pub costs: HopCosts,
    /// How long it takes to begin when idle.
    pub wake: Distribution,
    /// Until when it wakes, ns: what arrives meanwhile wakes it no second time.
    pub waking_until_ns: u64,
    /// Whether it runs at all.
    pub is_up: bool,
    /// Whether it is stopped for now.
    pub is_paused: bool,
    /// Whether steps have yet to add it, or have removed it.
    pub is_gone: bool,
    /// Whether it takes nothing new: it ends what is under way, and leaves.
    pub is_closed: bool,
    /// What ran when it was paused.
    pub frozen: Vec<Burst>,
    /// CPU of bursts that have ended, ns.
    pub used_ns: u64,
    /// CPU so far of what was done while it was not quite warm.
    pub cooled: Surcharge,
    /// What neighbours on the cores have added so far to what was done.
    pub contended: Surcharge,
}

impl Process {
    /// As it is planned, on its host, at rest.
    pub(super) fn new(plan: &ProcessPlan, host: u32) -> Self {
        Self {
            name: plan.name.clone(),
            host,
            workers: Lane { driver: plan.has_driver.then(Box::default), ..Lane::new(plan.workers) },
            blocking: Lane::new(plan.blocking),
            costs: plan.costs,
            wake: plan.wake.clone(),
            waking_until_ns: 0,
            is_up: true,
            is_paused: false,
            is_gone: false,
            is_closed: false,
            frozen: Vec::new(),
            used_ns: 0,
            cooled: Surcharge::default(),
            contended: Surcharge::default(),
        }
    }

    fn lane(&mut self, burst: &Burst) -> &mut Lane {
        if burst.owner.is_blocking() { &mut self.blocking } else { &mut self.workers }
    }

    /// A message comes in: how long until it is looked at, ns, and the CPU of waking the process for it. `draw` are dice.
    pub fn woken(&mut self, now_ns: u64, draw: u64) -> (u64, u64) {
        if now_ns < self.waking_until_ns {
            return (self.waking_until_ns - now_ns, 0);
        }
        if !self.workers.is_idle() {
            return (0, 0);
        }
        let delay_ns = if self.wake.is_zero() { 0 } else { self.wake.sample(draw) };
        self.waking_until_ns = now_ns + delay_ns;
        (delay_ns, self.costs.wake)
    }

    /// By what share a call takes more CPU than in a warm process, so many ns after the one before to the same component.
    pub const fn cold_cpu(&self, since_ns: u64) -> f32 {
        let HopCosts { cold_permille, cooling_ns, .. } = self.costs;
        if cold_permille == 0 || cooling_ns == 0 {
            return 0.0;
        }
        let since_ns = if since_ns < cooling_ns { since_ns } else { cooling_ns };
        cold_permille as f32 / 1e3 * (since_ns as f32 / cooling_ns as f32)
    }

    /// CPU of what takes `ns` in a warm process.
    pub fn due(&mut self, ns: u64, cold_cpu: f32) -> u64 {
        if cold_cpu <= 0.0 {
            return ns;
        }
        let more_ns = (ns as f64 * f64::from(cold_cpu)) as u64;
        self.cooled.base_ns += ns;
        self.cooled.more_ns += more_ns;
        ns + more_ns
    }

    /// Whether its threads read messages as tokio's do.
    pub const fn has_driver(&self) -> bool {
        self.workers.driver.is_some()
    }

    /// A burst becomes ready, by a message or a timer, or by what another thread has done. Returns it if a thread is free for it;
    /// else it waits. Then threads may have been woken: [`Process::woken_thread`].
    pub fn submit(&mut self, mut burst: Burst, is_message: bool, now_ns: u64) -> Option<Burst> {
        burst.since_ns = now_ns;
        let is_paused = self.is_paused;
        self.lane(&burst).start(burst, is_message, is_paused, now_ns)
    }

    /// The thread of a burst has nothing to go on with. Returns the next that gets it: the first that waits and for which
    /// `is_wanted` holds. Then threads may have been woken: [`Process::woken_thread`].
    pub fn finish(
        &mut self,
        burst: &Burst,
        now_ns: u64,
        is_wanted: impl Fn(&Burst) -> bool,
    ) -> Option<Burst> {
        let lane = self.lane(burst);
        lane.running -= 1;
        lane.next(now_ns, &is_wanted)
    }

    /// The next burst that gets a thread which another has woken. To be called until none comes.
    pub fn woken_thread(&mut self, now_ns: u64, is_wanted: impl Fn(&Burst) -> bool) -> Option<Burst> {
        self.workers.woken(now_ns, &is_wanted)
    }

    /// It is stopped; `running` are its threads.
    pub fn pause(&mut self, running: Vec<Burst>) {
        self.is_paused = true;
        self.frozen = running;
    }

    /// It goes on. Returns the bursts that run from now on.
    pub fn resume(&mut self, now_ns: u64, is_wanted: impl Fn(&Burst) -> bool) -> Vec<Burst> {
        self.is_paused = false;
        let mut running = std::mem::take(&mut self.frozen);
        if let Some(driver) = self.workers.driver.as_deref_mut() {
            driver.look_again();
        }
        for lane in [&mut self.workers, &mut self.blocking] {
            while lane.running < lane.threads {
                let Some(burst) = lane.next(now_ns, &is_wanted) else { break };
                running.push(burst);
            }
        }
        running
    }

    /// It dies: what ran and what waited is gone.
    pub fn kill(&mut self, now_ns: u64) {
        (self.is_up, self.is_paused) = (false, false);
        self.waking_until_ns = 0;
        self.frozen.clear();
        for lane in [&mut self.workers, &mut self.blocking] {
            lane.clear(now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(costs: HopCosts) -> Process {
        let plan = ProcessPlan {
            name: "photo".into(),
            host: "host".into(),
            workers: 1,
            blocking: 1,
            has_driver: false,
            components: Vec::new(),
            costs,
            wake: Distribution::Constant(100),
        };
        Process::new(&plan, 0)
    }

    #[test]
    fn what_arrives_while_a_process_wakes_waits_and_wakes_it_no_second_time() {
        let mut process = process(HopCosts { wake: 7, ..HopCosts::default() });
        assert_eq!(process.woken(1_000, 0), (100, 7));
        assert_eq!(process.woken(1_040, 0), (60, 0));
        assert_eq!(process.woken(1_100, 0), (100, 7), "it went to sleep again");
    }

    #[test]
    fn a_call_takes_more_the_longer_none_came_and_no_more_than_in_a_cold_process() {
        let mut process = process(HopCosts { cold_permille: 500, cooling_ns: 1_000, ..HopCosts::default() });
        let mut takes = |since_ns| {
            let cold_cpu = process.cold_cpu(since_ns);
            process.due(400, cold_cpu)
        };
        // Cold, half cooled after half of the time, warm at once after a call, cold again.
        assert_eq!([5_000, 500, 0, 3_500].map(&mut takes), [600, 500, 400, 600]);
        // What was warm is in neither sum: 200 of 400, 100 of 400, 200 of 400.
        assert_eq!(process.cooled, Surcharge { base_ns: 1_200, more_ns: 500 });
        assert!((process.cooled.factor() - 1_700.0 / 1_200.0).abs() < 1e-12);
    }
}
