//! A plan in motion.
//!
//! - Here: the loop, and what each kind of event is handed to.
//! - `requests`: clients come and go. `steps`: programs are carried out. `cores`: CPU. `calls`: tries, timeouts, retries,
//!   hedging. `cancel`: what is called off. `queries`: databases. `faults`: what is injected. `registry`: who is listed.
//! - `changes`: steps that change copies; `script`: what they do, line by line; `copies`: what a copy goes through;
//!   `copy_sets`: which there are.

mod calls;
mod cancel;
mod changes;
mod copies;
mod copy_sets;
mod cores;
mod faults;
mod queries;
mod registry;
mod requests;
mod script;
mod steps;

use std::collections::{BTreeMap, VecDeque};

use policy::breaker::BreakerState;

use self::cancel::is_waiting;
use self::changes::Changes;
use self::faults::{ActiveFault, ScheduledFault};
use self::registry::Registries;
use self::requests::Clients;
use super::cpu::Cpu;
use super::database::Query;
use super::edge::EdgeCounts;
use super::frame::{Call, Frame, Try};
use super::network::Link;
use super::plan::Plan;
use super::report::{Divergence, Recorder, Report, Slots, Syncs};
use super::surcharge::Surcharge;
use super::system::{PlanError, System};
use crate::engine::{AdaptiveQueue, Draws, Event, EventQueue, Scheduler, Slab};

/// Kinds of events.
mod kind {
    /// A request of a source.
    pub const ARRIVAL: u8 = 0;
    /// A core has something to report.
    pub const CORE: u8 = 1;
    /// A frame's wait is over.
    pub const RESUME: u8 = 2;
    /// A message arrives at the callee.
    pub const ARRIVE: u8 = 3;
    /// An answer arrives at the caller.
    pub const ANSWER: u8 = 4;
    /// A class of timers is due.
    pub const TIMER: u8 = 5;
    /// A try's time is over, where that is no class's.
    pub const TRY_TIMEOUT: u8 = 6;
    /// A call is tried again.
    pub const BACKOFF: u8 = 7;
    /// A database has made commits durable.
    pub const SYNC: u8 = 8;
    /// A fault begins.
    pub const FAULT_START: u8 = 9;
    /// A fault ends.
    pub const FAULT_END: u8 = 10;
    /// The processes that a fault has killed come back.
    pub const RESTART: u8 = 11;
    /// A client gives up, where that is no class's.
    pub const PATIENCE: u8 = 12;
    /// Callers learn that the lease of a process has lapsed.
    pub const LAPSE: u8 = 13;
    /// Callers learn that a process is there.
    pub const LISTED: u8 = 14;
    /// A try that was held up asks for a connection.
    pub const CONNECT: u8 = 15;
    /// A change of copies begins, or goes on.
    pub const CHANGE: u8 = 16;
    /// A process that was started serves.
    pub const STARTED: u8 = 17;
    /// A process that drains looks whether it is done.
    pub const DRAIN: u8 = 18;
}

/// Frames at once, at most: a system in which more is under way has diverged, and memory has an end.
const MAX_FRAMES: usize = 4_000_000;

/// A plan in motion.
#[derive(Debug)]
pub struct Simulation<Q = AdaptiveQueue> {
    events: Scheduler<Q>,
    system: System,
    frames: Slab<Frame>,
    calls: Slab<Call>,
    tries: Slab<Try>,
    queries: Slab<Query>,
    clients: Vec<Clients>,
    scheduled: Vec<ScheduledFault>,
    active: Vec<ActiveFault>,
    registries: Registries,
    changes: Changes,
    /// By distance, the least first.
    links: [(Link, Draws); 4],
    served: Vec<Recorder>,
    /// Of these, calls whose caller had given up before they were served, by program.
    wasted: Vec<u64>,
    /// Instances with a slot to give, once for each.
    freed: VecDeque<u32>,
    /// The process with a thread whose frame may go on with it.
    polling: Option<u32>,
    diverged: Option<Divergence>,
}

impl<Q: EventQueue + Default> Simulation<Q> {
    /// A plan at time 0, with a seed.
    ///
    /// # Errors
    /// All that is wrong with the plan.
    pub fn new(plan: &Plan, seed: u64) -> Result<Self, Vec<PlanError>> {
        let system = System::new(plan, seed)?;
        let mut simulation = Self {
            events: Scheduler::new(Q::default()),
            frames: Slab::default(),
            calls: Slab::default(),
            tries: Slab::default(),
            queries: Slab::default(),
            clients: Vec::new(),
            scheduled: Vec::new(),
            active: Vec::new(),
            registries: Registries::default(),
            changes: Changes::default(),
            links: [
                (plan.loopback.clone(), Draws::new(seed, "network/loopback")),
                (plan.network.clone(), Draws::new(seed, "network/hosts")),
                (plan.between_zones.clone(), Draws::new(seed, "network/zones")),
                (plan.between_regions.clone(), Draws::new(seed, "network/regions")),
            ],
            served: (0..system.programs.len()).map(|_| Recorder::default()).collect(),
            wasted: vec![0; system.programs.len()],
            freed: VecDeque::new(),
            polling: None,
            diverged: None,
            system,
        };
        let mut errors = simulation.add_sources(plan, seed);
        errors.extend(simulation.add_faults(plan, seed));
        errors.extend(simulation.add_registries(plan, seed));
        errors.extend(simulation.add_changes(plan, seed));
        if errors.is_empty() { Ok(simulation) } else { Err(errors) }
    }
}

impl<Q: EventQueue> Simulation<Q> {
    /// Lets time pass until `until_ns`, or until nothing is left to happen, and reports.
    pub fn run(&mut self, until_ns: u64) -> Report {
        self.run_until(until_ns);
        debug_assert!(self.is_balanced(), "Little's law holds at every station");
        self.report()
    }

    /// Lets time pass until `until_ns`, or until nothing is left to happen.
    pub fn run_until(&mut self, until_ns: u64) {
        while let Some(event) = self.events.next(until_ns) {
            self.handle(event);
            // Not where a slot is freed: those that get one may free it at once, one inside the other.
            while let Some(instance) = self.freed.pop_front() {
                self.give_slot(instance);
            }
            if self.diverged.is_some() {
                return;
            }
        }
    }

    /// Events that have happened.
    pub const fn happened(&self) -> u64 {
        self.events.happened()
    }

    fn handle(&mut self, event: Event) {
        match event.kind {
            kind::ARRIVAL => self.on_arrival(event.index),
            kind::CORE => self.on_core(event),
            kind::RESUME => self.on_resume(event),
            kind::CONNECT => self.on_connect(event),
            kind::ARRIVE => self.on_arrive(event),
            kind::ANSWER => self.on_answer(event),
            kind::TIMER => self.on_timer(event.index),
            kind::TRY_TIMEOUT => self.on_try_timeout(event.index),
            kind::BACKOFF => self.on_backoff(event),
            kind::SYNC => self.on_sync(event.index),
            kind::FAULT_START => self.on_fault_start(event.index),
            kind::FAULT_END => self.on_fault_end(event.index),
            kind::RESTART => self.on_restart(event.index),
            kind::PATIENCE => self.on_patience(event),
            kind::LAPSE => self.on_lapse(event),
            kind::LISTED => self.on_listed(event),
            kind::CHANGE => self.run_task(event.index),
            kind::STARTED => self.on_started(event),
            kind::DRAIN => self.on_drain(event.index),
            other => unreachable!("no event is of kind {other}"),
        }
    }

    /// Whether Little's law holds at every station.
    pub fn is_balanced(&self) -> bool {
        let System { instances, databases, processes, hosts, .. } = &self.system;
        let asks = |handle| self.queries.get(handle).is_some();
        let databases = databases.iter().flat_map(|database| [&database.readers, &database.writer]);
        instances
            .iter()
            .filter_map(|it| it.pool.as_ref())
            .all(|pool| pool.is_balanced(is_waiting(&self.frames)))
            && databases.into_iter().all(|pool| pool.is_balanced(asks))
            && processes.iter().all(|process| process.workers.is_balanced() && process.blocking.is_balanced())
            && hosts.iter().all(Cpu::is_balanced)
    }

    /// Bytes that its copies and their edges hold, by counting, without what is under way.
    pub fn held_bytes(&self) -> usize {
        self.system.held_bytes()
    }

    /// Processes as they stand: the name of each, the CPU that it has used, ns, and whether it runs.
    pub fn processes(&self) -> impl Iterator<Item = (&str, u64, bool)> {
        let running = |process: &super::process::Process| process.is_up && !process.is_paused;
        self.system.processes.iter().map(move |it| (it.name.as_str(), it.used_ns, running(it)))
    }

    /// CPU so far of what processes did while they were not quite warm, by their names.
    pub fn cooled(&self) -> impl Iterator<Item = (&str, Surcharge)> {
        self.system.processes.iter().map(|it| (it.name.as_str(), it.cooled))
    }

    /// CPU so far of what processes did, and what neighbours on the cores added to it, by their names; none where neighbours add
    /// nothing.
    pub fn contended(&self) -> impl Iterator<Item = (&str, Surcharge)> {
        self.system.processes.iter().map(|it| (it.name.as_str(), it.contended))
    }

    /// Time until `now_ns`, which is not past, in which threads waited for a core of the only host, ns; `None` where there are
    /// several.
    pub fn stalled_ns(&self, now_ns: u64) -> Option<u64> {
        let [host] = self.system.hosts.as_slice() else { return None };
        Some(host.stalled_ns(now_ns))
    }

    /// Calls that were served so far, by component and operation.
    pub fn served(&self) -> impl Iterator<Item = (&str, u64)> {
        let operations = self.system.operations.iter().map(|operation| operation.name.as_str());
        operations.zip(self.served.iter().map(Recorder::count))
    }

    /// Of these, calls whose caller had given up before they were served.
    pub fn wasted(&self) -> impl Iterator<Item = (&str, u64)> {
        let operations = self.system.operations.iter().map(|operation| operation.name.as_str());
        operations.zip(self.wasted.iter().copied())
    }

    /// What edges have done so far and where their breakers stand, by caller and callee, all copies together: the worst
    /// breaker.
    pub fn edges(&self) -> BTreeMap<String, (EdgeCounts, BreakerState)> {
        let mut edges: BTreeMap<String, (EdgeCounts, BreakerState)> = BTreeMap::new();
        for connection in &self.system.connections {
            let name = |component: u32| &self.system.components[component as usize].name;
            let edge = format!("{}->{}", name(connection.caller), name(connection.callee));
            let (counts, breaker) =
                edges.entry(edge).or_insert_with(|| (EdgeCounts::default(), BreakerState::Closed));
            counts.add(&connection.edge.counts);
            if *breaker == BreakerState::Closed || connection.edge.breaker() == BreakerState::Open {
                *breaker = connection.edge.breaker();
            }
        }
        edges
    }

    /// What came of it so far.
    pub fn report(&mut self) -> Report {
        let mut report = Report {
            end_ns: self.events.now_ns(),
            events: self.events.happened(),
            diverged: self.diverged.clone(),
            requests: self.clients.iter_mut().flat_map(Clients::finish).collect(),
            ..Report::default()
        };
        for (recorder, operation) in self.served.iter().zip(&self.system.operations) {
            report.served.insert(operation.name.clone(), recorder.finish());
        }
        for process in &self.system.processes {
            report.cpu_ns.insert(process.name.clone(), process.used_ns);
        }
        report.edges = self.edges().into_iter().map(|(name, (counts, _))| (name, counts)).collect();
        for instance in &self.system.instances {
            let Some(pool) = &instance.pool else { continue };
            let name = self.system.components[instance.component as usize].name.clone();
            let slots: &mut Slots = report.slots.entry(name).or_default();
            slots.refused += pool.refused();
            slots.waited += pool.flow().gone();
            slots.wait_ns += pool.flow().mean_stay_ns() * pool.flow().gone() as f64;
        }
        for (database, name) in self.system.databases.iter().zip(&self.system.database_names) {
            let (commits, syncs) = database.durable();
            let all = report.databases.entry(name.clone()).or_default();
            *all = Syncs { commits: all.commits + commits, syncs: all.syncs + syncs };
        }
        report
    }
}
