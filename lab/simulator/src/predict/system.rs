//! From a calibration and the arms of a scenario to a plan of the simulator.

use std::collections::{BTreeMap, BTreeSet};

use policy::connections::{MAX_CONNECTIONS, MAX_WAITING};
use policy::service::ServiceOptions;
use policy::{EdgePattern, Policy, for_edge};
use record::CLIENT;
use scenario::TelemetryLevel;
use traffic::load::Model;
use traffic::{Journey, Schedule};

use super::changes::Changes;
use super::faults;
use super::layout::{Hosts, Instance, Layout};
use super::missing;
use super::registry;
use super::setting::{BuiltPlan, Setting, edges};
use super::work_builder::WorkBuilder;
use crate::calibrate::{Calibration, Hop};
use crate::dist::Distribution;
use crate::model::network::Link;
use crate::model::{
    Arrivals, ComponentPlan, ConnectionLimits, CpuSharing, DatabasePlan, HopCosts, HostPlan, Location,
    OperationPlan, ProcessPlan, QueuePlan, SourcePlan, Work,
};

/// Of what a process takes at rest, how much comes in one go, when it is asked for its figures: 0.30 to 0.46 of six services
/// over twelve seconds, 0.5 to 0.7 ms each time, by their threads' run times every 20 ms.
const ASKED_SHARE: f64 = 0.4;
/// How often a second a process does what being awake takes: often enough that no request waits for much of it.
const AWAKE_TICKS: f64 = 100.0;
/// The same of many copies, whose ticks are most of what is simulated.
const AWAKE_TICKS_AT_SCALE: f64 = 10.0;

/// Threads for blocking work, as tokio has them.
const BLOCKING_THREADS: u32 = 512;
/// CPU of a function call between components of a process, ns: a dynamic dispatch and its future.
const LOCAL_CALL_NS: u64 = 100;
/// Cores of the load generator where it has a host of its own: it is no part of what is predicted.
const GENERATOR_CORES: u32 = 64;
/// A quantum above this lets a thread keep its core until it blocks, ns.
const ENDLESS_QUANTUM_NS: f64 = 1e9;
/// The process of the load generator.
pub(super) const GENERATOR: &str = "generator";
/// The process of the lab itself.
const LAB: &str = "lab";
/// What it does is spread over the second: spans and figures come in as they are sent.
const LAB_TICKS: f64 = 10.0;

/// Builds the plan of arms that run at the same time and are offered the same arrivals.
pub fn build(
    calibration: &Calibration,
    setting: &Setting<'_>,
    layouts: &[&Layout],
    schedule: &Schedule,
) -> BuiltPlan {
    let mut built = BuiltPlan::default();
    let journeys = setting.scenario.load.journeys();
    let (known, unknown): (Vec<Journey>, Vec<Journey>) = journeys
        .into_iter()
        .partition(|journey| calibration.operations.contains_key(&format!("{CLIENT}/{}", journey.name())));
    built.not_simulated.extend(
        unknown
            .iter()
            .map(|journey| format!("journey `{}`, which no run of the calibration had", journey.name())),
    );
    built.journeys = known;
    for layout in layouts {
        Arm { calibration, setting, layout, built: &mut built }.add(schedule);
    }
    let plan = &mut built.plan;
    if let Some(first) = layouts.first() {
        // Between hosts lies what the scenario declares, and loopback is not charged twice.
        let declared = first.arm.network;
        let links =
            first.scale.as_ref().map(|scale| scale.links.by_distance(declared)).unwrap_or([declared; 4]);
        let [loopback, network, between_zones, between_regions] =
            links.map(|declared| Link { declared, ..Link::default() });
        (plan.loopback, plan.network) = (loopback, network);
        (plan.between_zones, plan.between_regions) = (between_zones, between_regions);
        if layouts.iter().any(|layout| layout.arm.network != first.arm.network) {
            built.not_simulated.insert("different networks of arms that run side by side".to_owned());
        }
    }
    plan.connections = Some(ConnectionLimits { connections: MAX_CONNECTIONS as u32, waiting: MAX_WAITING });
    plan.good_within_ns = Some(setting.scenario.load.longest_good().nanos());
    built
}

/// Copies of what stands for the users at a size of its own: as many as there are gateways, since each has its own view of
/// these and asks only some. 0 where there is no such size, and one load generator.
pub(super) fn client_copies(layout: &Layout) -> u32 {
    let gateways =
        layout.processes.iter().find(|process| process.gateway).map_or(1, |gateway| gateway.replicas);
    if layout.scale.is_some() { gateways } else { 0 }
}

/// An arm being added.
struct Arm<'a> {
    calibration: &'a Calibration,
    setting: &'a Setting<'a>,
    layout: &'a Layout,
    built: &'a mut BuiltPlan,
}

impl<'a> Arm<'a> {
    fn add(mut self, schedule: &Schedule) {
        missing::add(self.setting.scenario, self.layout, &mut self.built.not_simulated);
        let changes = Changes::of(self.setting.scenario, self.layout);
        let first = self.layout.copies();
        let further = self.layout.further_copies(&changes.standby);
        let copies: Vec<Instance> = first.iter().cloned().chain(further).collect();
        self.built.own_processes.clear();
        self.add_processes(&copies);
        self.add_components(&copies);
        self.add_rest(&copies);
        self.add_databases();
        self.add_policies();
        self.add_client(schedule);
        registry::add(self.layout, &copies, &mut self.built.plan);
        faults::add(self.calibration, self.setting, self.layout, &first, &changes, self.built);
    }

    fn add_host(&mut self, name: &str, cores: u32) {
        if !self.built.hosts.insert(name.to_owned()) {
            return;
        }
        let parameters = &self.calibration.parameters;
        let quantum_ns = parameters.quantum_ns.value;
        let sharing = if quantum_ns >= ENDLESS_QUANTUM_NS {
            CpuSharing::Fcfs
        } else {
            CpuSharing::Quantum(quantum_ns.max(1.0) as u64)
        };
        let contention = parameters.contention.value;
        self.built.plan.hosts.push(HostPlan { name: name.to_owned(), cores, sharing, contention });
    }

    fn add_processes(&mut self, copies: &[Instance]) {
        let costs = self.costs();
        let wake = Distribution::Exponential(self.calibration.parameters.wake_ns.value);
        for (at, copy) in copies.iter().enumerate() {
            let host = match (copy.host, self.setting.hosts) {
                (Some(number), _) => self.layout.own(&format!("host-{number}")),
                (None, Hosts::One) => "host".to_owned(),
                (None, Hosts::PerComponent) => self.layout.own(&copy.name),
                (None, Hosts::Count(count)) => {
                    self.layout.own(&format!("host-{}", at % count.max(1) as usize))
                }
            };
            self.add_host(&host, self.setting.cores);
            if let Some(scale) = self.layout.scale.as_ref().filter(|_| !copy.zone.is_empty()) {
                let region = scale.region_of(&copy.zone).unwrap_or_default().to_owned();
                let location = Location { region, zone: copy.zone.clone() };
                self.built.plan.locations.insert(host.clone(), location);
            }
            self.built.own_processes.push(self.built.plan.processes.len());
            self.built.plan.processes.push(ProcessPlan {
                name: self.layout.own(&copy.name),
                host,
                workers: copy.workers,
                blocking: BLOCKING_THREADS,
                // Where there is one thread, it is that one that a message waits for.
                has_driver: copy.workers > 1,
                components: copy.components.iter().map(|name| self.layout.own(name)).collect(),
                costs,
                wake: wake.clone(),
            });
        }
    }

    /// What processes do whatever is asked of them. Once a second, all at the same moment, the lab asks each for its figures; the
    /// rest of what they take at rest, and what being awake takes, is spread over the second. Where the lab is on the same host,
    /// it takes its own CPU there.
    fn add_rest(&mut self, copies: &[Instance]) {
        if self.layout.scale.is_some() {
            return self.add_rest_at_scale(copies);
        }
        for copy in copies {
            let (rest, awake) = (self.own("rest", &copy.name), self.own("awake", &copy.name));
            let process = self.layout.own(&copy.name);
            let known = self.built.plan.processes.iter_mut().find(|known| known.name == process);
            if let Some(known) = known {
                known.components.extend([rest.clone(), awake.clone()]);
            }
            let (asked_ns, spread_ns) = self.of_itself_ns_per_s();
            self.add_ticks(rest, 1.0, asked_ns);
            self.add_ticks(awake, AWAKE_TICKS, spread_ns);
        }
        let has_lab = self.built.plan.processes.iter().any(|process| process.name == LAB);
        if self.setting.hosts == Hosts::One && !has_lab {
            self.built.plan.processes.push(ProcessPlan {
                name: LAB.to_owned(),
                host: "host".to_owned(),
                workers: 1,
                blocking: 1,
                has_driver: false,
                components: vec![LAB.to_owned()],
                costs: HopCosts::default(),
                wake: Distribution::ZERO,
            });
            self.add_ticks(LAB.to_owned(), LAB_TICKS, self.calibration.lab_ns_per_s);
        }
    }

    /// The same of many copies: they are asked one after another within the second, each once.
    fn add_rest_at_scale(&mut self, copies: &[Instance]) {
        for (copy, plan) in copies.iter().zip(self.built.own_processes.clone()) {
            let process = copy.name.split('#').next().unwrap_or_default();
            let both = ["rest", "awake"].map(|what| self.own(what, process));
            self.built.plan.processes[plan].components.extend(both);
        }
        for process in &self.layout.processes {
            let replicas = f64::from(process.replicas);
            let (rest, awake) = (self.own("rest", &process.name), self.own("awake", &process.name));
            let (asked_ns, spread_ns) = self.of_itself_ns_per_s();
            self.add_ticks(rest, replicas, asked_ns * replicas);
            self.add_ticks(awake, AWAKE_TICKS_AT_SCALE * replicas, spread_ns * replicas);
        }
    }

    /// CPU that a process takes whatever is asked of it, ns a second: when it is asked for its figures, and all else.
    const fn of_itself_ns_per_s(&self) -> (f64, f64) {
        let asked_ns = ASKED_SHARE * self.calibration.idle_ns_per_s;
        (asked_ns, self.calibration.idle_ns_per_s - asked_ns + self.calibration.background_ns_per_s)
    }

    /// A component of a process that is none of the suite's.
    fn own(&self, what: &str, process: &str) -> String {
        self.layout.own(&format!("{what}-{process}"))
    }

    /// A component that takes so much CPU a second, in so many goes.
    fn add_ticks(&mut self, component: String, per_second: f64, ns_per_s: f64) {
        let work = Work::Cpu(Distribution::Constant((ns_per_s / per_second).max(0.0).round() as u64));
        self.built.plan.components.push(ComponentPlan {
            name: component.clone(),
            options: ServiceOptions::default(),
            queue: QueuePlan::Fifo,
            operations: vec![OperationPlan { name: "tick".to_owned(), work, is_idempotent: true }],
        });
        self.built.plan.sources.push(SourcePlan {
            name: component.clone(),
            client: component,
            operations: vec![("tick".to_owned(), 1.0)],
            arrivals: Arrivals::Constant(per_second),
            until_ns: self.setting.scenario.length_ns() + self.setting.scenario.load.timeout.nanos(),
            patience: Distribution::ZERO,
            warm_up_ns: 0,
        });
    }

    /// What messages cost, by the arm's carrier and level of telemetry.
    fn costs(&mut self) -> HopCosts {
        let carrier = serde_json::to_value(self.layout.arm.placement.carrier).unwrap_or_default();
        let carrier = carrier.as_str().unwrap_or_default();
        let hops = &self.calibration.hops;
        let hop = hops.get(carrier).copied().unwrap_or_else(|| {
            self.built
                .not_simulated
                .insert(format!("the carrier `{carrier}`, which no run of the calibration had"));
            hops.values().next().copied().unwrap_or_default()
        });
        let Hop { served_ns, called_ns } = hop;
        let half = |ns: f64| (ns / 2.0).round() as u64;
        let level = self.layout.arm.telemetry.unwrap_or(self.setting.scenario.telemetry);
        let parameters = &self.calibration.parameters;
        let span = if level == TelemetryLevel::Off { 0.0 } else { parameters.span_ns.value };
        HopCosts {
            send: half(called_ns),
            receive_reply: half(called_ns),
            receive: half(served_ns),
            reply: half(served_ns),
            wake: parameters.wake_cpu_ns.value.round() as u64,
            local: LOCAL_CALL_NS,
            span: span.round() as u64,
            cold_permille: (parameters.cold_cpu.value * 1e3).round() as u64,
            cooling_ns: parameters.cooling_ns.value.round() as u64,
        }
    }

    const fn work_builder(&self) -> WorkBuilder<'a> {
        WorkBuilder { calibration: self.calibration, layout: self.layout }
    }

    fn add_components(&mut self, copies: &[Instance]) {
        let builder = self.work_builder();
        let names: BTreeSet<&String> = copies.iter().flat_map(|copy| &copy.components).collect();
        for name in names {
            let mut options: ServiceOptions = self.layout.arm.services.get(name).cloned().unwrap_or_default();
            if options.cache.take().is_some() | options.store.take().is_some() {
                self.built.not_simulated.insert(format!("the declared cache and store of `{name}`"));
            }
            let prefix = format!("{name}/");
            let operations = self.calibration.operations.iter();
            let operations = operations.filter_map(|(known, operation)| {
                let operation_name = known.strip_prefix(&prefix)?;
                Some(OperationPlan {
                    name: operation_name.to_owned(),
                    work: builder.operation(name, operation),
                    is_idempotent: operation.is_idempotent,
                })
            });
            let operations = operations.collect();
            self.built.plan.components.push(ComponentPlan {
                name: self.layout.own(name),
                options,
                queue: QueuePlan::Fifo,
                operations,
            });
        }
    }

    fn add_databases(&mut self) {
        for process in &self.layout.processes {
            for store in process.stores() {
                let hosts: Vec<String> = store.hosts.iter().map(ToString::to_string).collect();
                self.built.plan.databases.push(DatabasePlan {
                    name: self.layout.own(&store.name),
                    components: hosts.iter().map(|host| self.layout.own(host)).collect(),
                    // At a size of its own each copy keeps a part of the data.
                    shards: if self.layout.scale.is_some() { process.replicas } else { 1 },
                    readers: contract::resources::READERS_PER_COMPONENT,
                    sync: self.calibration.sync.distribution(1.0),
                    // As live ones do: the writer's turn passes on before the sync.
                    group_commit: true,
                    checkpoint_every: 0,
                    checkpoint: Distribution::ZERO,
                });
            }
        }
    }

    /// What holds on each edge of this arm, under the names that it has beside others.
    fn add_policies(&mut self) {
        for (caller, callee) in edges(self.calibration) {
            let policy = self.policy(caller, callee);
            let name = format!("{}->{}", self.layout.own(caller), self.layout.own(callee));
            if let Ok(pattern) = name.parse() {
                self.built.plan.policies.push((pattern, policy));
            }
        }
    }

    /// What is declared for an edge of this arm.
    fn policy(&self, caller: &str, callee: &str) -> Policy {
        let policies = self.layout.arm.policies.iter();
        let table: Vec<(EdgePattern, Policy)> =
            policies.filter_map(|(edge, policy)| Some((edge.parse().ok()?, policy.clone()))).collect();
        for_edge(&table, caller, callee)
    }

    /// The users of the arm: a request is sent once, and given up after the load's timeout.
    fn add_client(&mut self, schedule: &Schedule) {
        let load = &self.setting.scenario.load;
        let host = match self.setting.hosts {
            Hosts::One if self.layout.scale.is_none() => "host",
            _ => GENERATOR,
        };
        self.add_host(host, if host == GENERATOR { GENERATOR_CORES } else { self.setting.cores });
        let client = self.layout.own(CLIENT);
        let journeys = self.built.journeys.clone();
        let builder = self.work_builder();
        let operations = journeys.iter().map(|journey| OperationPlan {
            name: journey.name().to_owned(),
            work: builder.journey(*journey),
            is_idempotent: true,
        });
        let operations = operations.collect();
        self.built.plan.components.push(ComponentPlan {
            name: client.clone(),
            options: ServiceOptions::default(),
            queue: QueuePlan::Fifo,
            operations,
        });
        let generator = |name: String| ProcessPlan {
            name,
            host: host.to_owned(),
            workers: GENERATOR_CORES,
            blocking: 1,
            has_driver: false,
            components: vec![client.clone()],
            costs: HopCosts::default(),
            wake: Distribution::ZERO,
        };
        let generators: Vec<ProcessPlan> = match client_copies(self.layout) {
            0 => vec![generator(self.layout.own(GENERATOR))],
            copies => {
                (0..copies).map(|copy| generator(self.layout.own(&format!("{GENERATOR}#{copy}")))).collect()
            }
        };
        self.built.plan.processes.extend(generators);
        // Whether work goes on whose user has left is what the arm declares of all edges.
        let cancel = self.policy(CLIENT, "gateway").cancel;
        let once = Policy { attempts: Some(1), deadline: Some(false), cancel, ..Policy::default() };
        let door = format!("{client}->{}", self.layout.own("gateway"));
        if let Ok(pattern) = door.parse() {
            self.built.plan.policies.push((pattern, once));
        }
        if load.attempts > 1 {
            self.built.not_simulated.insert("users who try again".to_owned());
        }
        let arrivals = match (load.model, load.users) {
            (Model::Closed, Some(users)) => {
                Arrivals::Closed { users: users.count, think: Distribution::Constant(users.think.nanos()) }
            }
            _ => Arrivals::Schedule(Box::new(schedule.clone())),
        };
        let weights: BTreeMap<Journey, f64> = load.weights().into_iter().collect();
        self.built.plan.sources.push(SourcePlan {
            name: self.layout.own("users"),
            client,
            operations: journeys
                .iter()
                .map(|journey| (journey.name().to_owned(), weights.get(journey).copied().unwrap_or(0.0)))
                .collect(),
            arrivals,
            until_ns: self.setting.scenario.length_ns().saturating_sub(1),
            patience: Distribution::Constant(load.timeout.nanos()),
            warm_up_ns: 0,
        });
    }
}
