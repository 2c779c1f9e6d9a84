//! A plan with its names resolved: stations, programs and edges by number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy::service::QUEUE_CAP;
use policy::{EffectivePolicy, for_edge};

use super::connections::ConnectionLimits;
use super::cpu::Cpu;
use super::database::Database;
use super::edge::Edge;
use super::network::Distance;
use super::plan::{ComponentPlan, Effect, Location, Plan};
use super::pool::Pool;
use super::process::Process;
use super::subsets::Subsets;
use super::work::{CallSite, Program, Step, Work};
use crate::dist::Distribution;
use crate::engine::random::stream;
use crate::engine::{Draws, Rng, Timers};

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// A copy of a component.
#[derive(Debug)]
pub(super) struct Instance {
    pub component: u32,
    pub process: u32,
    /// Most have none, and a call looks at every instance on its way.
    pub pool: Option<Box<Pool>>,
    /// Its routes are those from here on, one for each component that its own calls.
    pub first_route: u32,
    pub database: Option<u32>,
    /// When its last call came, ns.
    pub called_ns: u64,
}

impl Instance {
    /// A call comes: how long after the one before, ns; for the first all that has passed, since nothing is in a cache.
    pub const fn called(&mut self, now_ns: u64) -> u64 {
        let since_ns = now_ns - self.called_ns;
        self.called_ns = now_ns;
        since_ns
    }
}

/// How an instance reaches a component.
#[derive(Clone, Copy, Debug)]
pub(super) enum Route {
    /// In its own process.
    Local(u32),
    /// Over an edge.
    Remote(u32),
}

/// A call that a program makes, resolved.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResolvedCall {
    pub program: u32,
    /// Which of the caller's routes; none of a call that no request comes to.
    pub route: u32,
    pub path: u64,
}

/// The route of a call that no request comes to.
const UNREACHED: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Component {
    pub name: String,
    pub instances: Vec<u32>,
    /// Components that it calls for some request, in order of its routes.
    callees: Vec<u32>,
}

/// What is known of a program besides its steps.
#[derive(Debug)]
pub(super) struct Operation {
    /// Component and operation, `feed/home-feed`.
    pub name: String,
    pub component: u32,
    pub is_idempotent: bool,
    pub sites: Vec<ResolvedCall>,
}

/// What a class of timers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerKind {
    Try,
    Hedge,
    Patience,
}

/// An edge with its ends and its classes of timers.
#[derive(Debug)]
pub(super) struct Connection {
    pub edge: Edge,
    pub caller: u32,
    pub callee: u32,
    pub process: u32,
    pub timeout: Option<u32>,
    pub hedge: Option<u32>,
    pub limits: Option<ConnectionLimits>,
}

/// Everything that a simulation consists of.
#[derive(Debug, Default)]
pub(super) struct System {
    pub hosts: Vec<Cpu>,
    /// Number of the first core of each host, and the host of each core.
    pub first_core: Vec<u32>,
    pub host_of_core: Vec<u32>,
    /// Zone and region of each host; none where it stands nowhere.
    places: Vec<Option<(u32, u32)>>,
    pub processes: Vec<Process>,
    /// The host of each process: every message asks for two of them, and for nothing else of theirs.
    host_of_process: Vec<u32>,
    pub components: Vec<Component>,
    pub instances: Vec<Instance>,
    pub routes: Vec<Route>,
    pub programs: Vec<Program>,
    pub operations: Vec<Operation>,
    pub connections: Vec<Connection>,
    pub databases: Vec<Database>,
    pub database_names: Vec<String>,
    pub database_draws: Vec<Draws>,
    pub timers: Vec<(TimerKind, Timers)>,
}

/// Names of a kind, with their numbers.
struct Names<'a> {
    kind: &'static str,
    numbers: BTreeMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    fn new(kind: &'static str, names: impl Iterator<Item = &'a str>, errors: &mut Vec<PlanError>) -> Self {
        let mut sorted: Vec<&str> = names.collect();
        sorted.sort_unstable();
        for pair in sorted.windows(2).filter(|pair| pair[0] == pair[1]) {
            errors.push(PlanError(format!("{kind} `{}` is there twice", pair[0])));
        }
        Self { kind, numbers: sorted.into_iter().zip(0..).collect() }
    }

    fn find(&self, name: &str, user: &str, errors: &mut Vec<PlanError>) -> u32 {
        self.numbers.get(name).copied().unwrap_or_else(|| {
            let known: Vec<&str> = self.numbers.keys().copied().collect();
            let (kind, known) = (self.kind, known.join(", "));
            errors.push(PlanError(format!("{user} names unknown {kind} `{name}`; known: {known}")));
            0
        })
    }
}

fn sorted<T>(items: &[T], name: impl Fn(&T) -> &str) -> Vec<&T> {
    let mut items: Vec<&T> = items.iter().collect();
    items.sort_by(|a, b| name(a).cmp(name(b)));
    items
}

impl System {
    /// Resolves a plan.
    ///
    /// # Errors
    /// All that is wrong with it: unknown names, and what is not simulated.
    pub fn new(plan: &Plan, seed: u64) -> Result<Self, Vec<PlanError>> {
        let mut errors = Vec::new();
        let mut system = Self::default();
        for (kind, count) in [("host", plan.hosts.len()), ("component", plan.components.len())] {
            if count == 0 {
                errors.push(PlanError(format!("a plan needs a {kind}")));
            }
        }
        let components = sorted(&plan.components, |component| &component.name);
        let names = Names::new("component", components.iter().map(|c| c.name.as_str()), &mut errors);
        system.add_hosts(plan);
        system.add_processes(plan, &names, &mut errors);
        // What follows is by number, and a name that is unknown has none.
        if !errors.is_empty() {
            return Err(errors);
        }
        system.add_programs(plan, seed, &components, &names, &mut errors);
        system.add_databases(plan, seed, &names, &mut errors);
        system.add_routes(plan, seed);
        system.shrink();
        for (name, component) in components.iter().map(|c| (&c.name, &c.options)) {
            if component.cache.is_some() || component.store.is_some() {
                errors.push(PlanError(format!("the cache and store of `{name}` are not simulated")));
            }
        }
        errors.extend(unsupported(plan));
        if errors.is_empty() { Ok(system) } else { Err(errors) }
    }

    fn add_hosts(&mut self, plan: &Plan) {
        for (host, number) in sorted(&plan.hosts, |host| &host.name).into_iter().zip(0..) {
            self.first_core.push(self.host_of_core.len() as u32);
            self.host_of_core.extend((0..host.cores.max(1)).map(|_| number));
            self.hosts.push(Cpu::new(host.cores, host.sharing, host.contention));
        }
        let zones: BTreeSet<&Location> = plan.locations.values().collect();
        let regions: BTreeSet<&str> = zones.iter().map(|location| location.region.as_str()).collect();
        let zone_of = |at: &Location| zones.iter().position(|zone| *zone == at).map(|number| number as u32);
        let region_of =
            |at: &Location| regions.iter().position(|of| *of == at.region).map(|number| number as u32);
        self.places = sorted(&plan.hosts, |host| &host.name)
            .into_iter()
            .map(|host| {
                let location = plan.locations.get(&host.name)?;
                Some((zone_of(location)?, region_of(location)?))
            })
            .collect();
    }

    fn add_processes(&mut self, plan: &Plan, names: &Names<'_>, errors: &mut Vec<PlanError>) {
        let hosts = Names::new("host", plan.hosts.iter().map(|host| host.name.as_str()), errors);
        let processes = sorted(&plan.processes, |process| &process.name);
        Names::new("process", processes.iter().map(|process| process.name.as_str()), errors);
        let options: BTreeMap<&str, &ComponentPlan> =
            plan.components.iter().map(|component| (component.name.as_str(), component)).collect();
        self.components.extend(names.numbers.keys().map(|name| Component {
            name: (*name).to_owned(),
            instances: Vec::new(),
            callees: Vec::new(),
        }));
        for (process, number) in processes.into_iter().zip(0..) {
            let user = format!("process `{}`", process.name);
            let host = hosts.find(&process.host, &user, errors);
            self.processes.push(Process::new(process, host));
            self.host_of_process.push(host);
            for name in sorted(&process.components, String::as_str) {
                let component = names.find(name, &user, errors);
                let Some(plan) = options.get(name.as_str()) else { continue };
                let slots = plan.options.slots;
                let capacity = plan.options.queue.unwrap_or(QUEUE_CAP);
                let pool = slots.map(|slots| Box::new(Pool::new(slots, capacity, plan.queue)));
                self.components[component as usize].instances.push(self.instances.len() as u32);
                self.instances.push(Instance {
                    component,
                    process: number,
                    pool,
                    first_route: 0,
                    database: None,
                    called_ns: 0,
                });
            }
        }
        for component in self.components.iter().filter(|component| component.instances.is_empty()) {
            errors.push(PlanError(format!("component `{}` is in no process", component.name)));
        }
    }

    fn add_programs(
        &mut self,
        plan: &Plan,
        seed: u64,
        components: &[&ComponentPlan],
        names: &Names<'_>,
        errors: &mut Vec<PlanError>,
    ) {
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for (component, number) in components.iter().zip(0..) {
            for operation in sorted(&component.operations, |operation| &operation.name) {
                let name = format!("{}/{}", component.name, operation.name);
                let declared = declared_work(component);
                let Some(program) = Program::new(seed, stream(&name), declared.as_ref(), &operation.work)
                else {
                    errors.push(PlanError(format!("`{name}` has too many steps")));
                    continue;
                };
                if numbers.insert(name.clone(), self.programs.len() as u32).is_some() {
                    errors.push(PlanError(format!("operation `{name}` is there twice")));
                }
                self.programs.push(program);
                let is_idempotent = operation.is_idempotent;
                self.operations.push(Operation { name, component: number, is_idempotent, sites: Vec::new() });
            }
        }
        for (program, operation) in self.programs.iter().zip(&mut self.operations) {
            for CallSite { component, operation: called, path } in &program.calls {
                let user = format!("`{}`", operation.name);
                names.find(component, &user, errors);
                let name = format!("{component}/{called}");
                let Some(program) = numbers.get(&name) else {
                    errors.push(PlanError(format!("{user} calls unknown operation `{name}`")));
                    continue;
                };
                operation.sites.push(ResolvedCall { program: *program, route: UNREACHED, path: *path });
            }
        }
        let asked = plan.sources.iter().flat_map(|source| {
            source.operations.iter().map(|(operation, _)| format!("{}/{operation}", source.client))
        });
        let asked: Vec<u32> = asked.filter_map(|name| numbers.get(&name).copied()).collect();
        self.add_callees(asked);
    }

    /// Finds what components call in the course of programs that are asked for. Other calls are never made, and thousands of
    /// copies would keep connections for them.
    fn add_callees(&mut self, asked: Vec<u32>) {
        let (mut is_reached, mut next) = (vec![false; self.operations.len()], asked);
        while let Some(program) = next.pop() {
            if !std::mem::replace(&mut is_reached[program as usize], true) {
                next.extend(self.operations[program as usize].sites.iter().map(|site| site.program));
            }
        }
        let components: Vec<u32> = self.operations.iter().map(|operation| operation.component).collect();
        let reached = self.operations.iter_mut().zip(is_reached).filter(|(_, is_reached)| *is_reached);
        for (operation, _) in reached {
            let callees = &mut self.components[operation.component as usize].callees;
            for site in &mut operation.sites {
                let callee = components[site.program as usize];
                let known = callees.iter().position(|known| *known == callee);
                site.route = known.unwrap_or_else(|| {
                    callees.push(callee);
                    callees.len() - 1
                }) as u32;
            }
        }
    }

    fn add_databases(&mut self, plan: &Plan, seed: u64, names: &Names<'_>, errors: &mut Vec<PlanError>) {
        for database in sorted(&plan.databases, |database| &database.name) {
            let first = self.databases.len() as u32;
            let shards = database.shards.max(1);
            for shard in 0..shards {
                let number = if shard == 0 { String::new() } else { format!("/{shard}") };
                let draws = format!("database/{}{number}", stream(&database.name));
                self.databases.push(Database::new(database));
                self.database_names.push(database.name.clone());
                self.database_draws.push(Draws::new(seed, &draws));
            }
            for name in &database.components {
                let component = names.find(name, &format!("database `{}`", database.name), errors);
                for (instance, copy) in self.components[component as usize].instances.iter().zip(0..) {
                    self.instances[*instance as usize].database = Some(first + copy % shards);
                }
            }
        }
        for (program, operation) in self.programs.iter().zip(&self.operations) {
            let asks = program.steps.iter().any(|step| matches!(step, Step::Read(_) | Step::Write(_)));
            let mut instances = self.components[operation.component as usize].instances.iter();
            if asks && instances.any(|instance| self.instances[*instance as usize].database.is_none()) {
                errors.push(PlanError(format!("`{}` has no database", operation.name)));
            }
        }
    }

    /// Connects every instance with the components that its own calls.
    fn add_routes(&mut self, plan: &Plan, seed: u64) {
        let mut policies: BTreeMap<(u32, u32), Arc<EffectivePolicy>> = BTreeMap::new();
        let mut subsets = Subsets::new(seed);
        for caller in 0..self.components.len() as u32 {
            let callees = self.components[caller as usize].callees.clone();
            let copies = self.components[caller as usize].instances.clone();
            for (instance, copy) in copies.iter().copied().zip(0..) {
                self.instances[instance as usize].first_route = self.routes.len() as u32;
                let process = self.instances[instance as usize].process;
                for callee in &callees {
                    let component = &self.components[*callee as usize];
                    let mut local = component.instances.iter().copied();
                    if let Some(local) =
                        local.find(|other| self.instances[*other as usize].process == process)
                    {
                        self.routes.push(Route::Local(local));
                        continue;
                    }
                    let (caller_name, callee_name) =
                        (&self.components[caller as usize].name, &component.name);
                    let policy = policies.entry((caller, *callee)).or_insert_with(|| {
                        Arc::new(for_edge(&plan.policies, caller_name, callee_name).effective())
                    });
                    let rng = Rng::new(seed, &format!("lb/{caller_name}#{copy}/{callee_name}"));
                    let endpoints = subsets.of(*callee, callee_name, &component.instances, copy);
                    let edge = Edge::new(policy.clone(), &endpoints, rng);
                    let is_source = plan.sources.iter().any(|source| source.client == *caller_name);
                    let limits = plan.connections.filter(|_| !is_source);
                    let (timeout, hedge) = (policy.timeout, policy.hedge);
                    let timeout = timeout.map(|limit| self.timer(TimerKind::Try, limit.nanos()));
                    let hedge = hedge.map(|hedge| self.timer(TimerKind::Hedge, hedge.after.nanos()));
                    self.routes.push(Route::Remote(self.connections.len() as u32));
                    self.connections.push(Connection {
                        edge,
                        caller,
                        callee: *callee,
                        process,
                        timeout,
                        hedge,
                        limits,
                    });
                }
            }
        }
    }

    /// Gives back the room that lists have kept for more: those of thousands of copies take megabytes each, and grow no further.
    fn shrink(&mut self) {
        self.instances.shrink_to_fit();
        self.routes.shrink_to_fit();
        self.connections.shrink_to_fit();
        self.databases.shrink_to_fit();
        self.database_draws.shrink_to_fit();
    }

    /// The class of timers of a kind and length.
    pub fn timer(&mut self, kind: TimerKind, length_ns: u64) -> u32 {
        let known =
            self.timers.iter().position(|(of, timers)| *of == kind && timers.length_ns() == length_ns);
        let class = known.unwrap_or_else(|| {
            self.timers.push((kind, Timers::new(length_ns)));
            self.timers.len() - 1
        });
        class as u32
    }

    /// How far two processes are from each other.
    pub fn distance(&self, from: u32, to: u32) -> Distance {
        let host = |process: u32| self.host_of_process[process as usize];
        let (from, to) = (host(from), host(to));
        if from == to {
            return Distance::Host;
        }
        match (self.places[from as usize], self.places[to as usize]) {
            (Some((_, one)), Some((_, other))) if one != other => Distance::World,
            (Some((one, _)), Some((other, _))) if one != other => Distance::Region,
            _ => Distance::Zone,
        }
    }

    /// The process of a name.
    pub fn process(&self, name: &str) -> Option<u32> {
        self.processes.binary_search_by(|known| known.name.as_str().cmp(name)).ok().map(|at| at as u32)
    }

    /// The program of a name.
    pub fn program(&self, name: &str) -> Option<u32> {
        self.operations.iter().position(|operation| operation.name == name).map(|at| at as u32)
    }
}

/// The work that a scenario declares of every call of a component, besides its own.
fn declared_work(component: &ComponentPlan) -> Option<Work> {
    component.options.work.map(|work| {
        let length = Distribution::Declared(work);
        match (work.cpu, work.offload) {
            (false, _) => Work::Wait(length),
            (true, false) => Work::Cpu(length),
            (true, true) => Work::Blocking(length),
        }
    })
}

/// Faults that have no simulated counterpart.
fn unsupported(plan: &Plan) -> Vec<PlanError> {
    let is_simulated = |effect: &Effect| match effect {
        Effect::Edge(_, _, fault) | Effect::Component(_, _, fault) => {
            let is_panic = matches!(fault.end, Some(fault::End::Panic(_)));
            !is_panic && !fault.duplicated && fault.corruption.is_none() && fault.leaked_bytes == 0
        }
        Effect::Processes(_, fault) => {
            matches!(fault, fault::ProcessFault::Kill(_) | fault::ProcessFault::Pause)
        }
    };
    let refused = plan.faults.iter().filter(|fault| !is_simulated(&fault.effect));
    refused.map(|fault| PlanError(format!("what fault `{}` does is not simulated", fault.name))).collect()
}
