//! Plans of the tests, and how close a mean must come to its closed form.

use policy::balance::Balance;
use policy::units::HumanDuration;
use policy::{EdgePattern, Policy};
use simulator::dist::Distribution;
use simulator::model::report::Latency;
use simulator::model::{
    Arrivals, ComponentPlan, CpuSharing, HopCosts, HostPlan, OperationPlan, Plan, ProcessPlan, QueuePlan,
    RegistryPlan, Report, Simulation, SourcePlan, Work,
};
use simulator::run::replicate;

pub const SECOND: u64 = 1_000_000_000;
pub const MILLISECOND: u64 = 1_000_000;
/// Mean service of stations, ns: rates are then per millisecond, times in milliseconds.
pub const SERVICE: f64 = 1e6;

/// Requests of a closed form in all: the gates of the handbook are for 16 million.
const FULL_REQUESTS: f64 = 16e6;
const REPLICATIONS: u64 = 4;
const THREADS: usize = 2;

/// Requests in all: a million unless `CLOSED_FORM_REQUESTS` asks for more.
pub fn requests() -> f64 {
    let asked = std::env::var("CLOSED_FORM_REQUESTS").ok();
    asked.map_or(1e6, |asked| asked.parse().expect("CLOSED_FORM_REQUESTS is a number"))
}

pub fn host(name: &str, cores: u32, sharing: CpuSharing) -> HostPlan {
    HostPlan { name: name.into(), cores, sharing, contention: 0.0 }
}

/// A process of more threads than there are cores, and without costs.
pub fn process(name: &str, host: &str, components: &[&str]) -> ProcessPlan {
    ProcessPlan {
        name: name.into(),
        host: host.into(),
        workers: 1_000_000,
        blocking: 1_000_000,
        has_driver: false,
        components: components.iter().map(|name| (*name).to_owned()).collect(),
        costs: HopCosts::default(),
        wake: Distribution::ZERO,
    }
}

pub fn component(name: &str, operations: Vec<(&str, Work)>) -> ComponentPlan {
    let operation =
        |(name, work): (&str, Work)| OperationPlan { name: name.into(), work, is_idempotent: true };
    ComponentPlan {
        name: name.into(),
        options: Default::default(),
        queue: QueuePlan::Fifo,
        operations: operations.into_iter().map(operation).collect(),
    }
}

/// Clients on a host of their own, who ask for the operations of the component `client` alike.
pub fn source(arrivals: Arrivals, operations: &[&str]) -> SourcePlan {
    SourcePlan {
        name: "users".into(),
        client: "client".into(),
        operations: operations.iter().map(|name| ((*name).to_owned(), 1.0)).collect(),
        arrivals,
        until_ns: u64::MAX,
        patience: Distribution::ZERO,
        warm_up_ns: 0,
    }
}

/// Calls are made once, without limits.
pub fn no_policies() -> Vec<(EdgePattern, Policy)> {
    edge(Policy { attempts: Some(1), ..Policy::default() })
}

/// A policy for all edges.
pub fn edge(policy: Policy) -> Vec<(EdgePattern, Policy)> {
    vec![("*->*".parse().expect("an edge"), policy)]
}

/// Users who do `work` over components that are in one process each, on a host each of so many cores.
pub fn system(
    cores: u32,
    sharing: CpuSharing,
    components: Vec<ComponentPlan>,
    work: Work,
    arrivals: Arrivals,
) -> Plan {
    let mut plan = Plan {
        hosts: vec![host("clients", 1_000, CpuSharing::Fcfs)],
        processes: vec![process("clients", "clients", &["client"])],
        components: vec![component("client", vec![("ask", work)])],
        policies: no_policies(),
        sources: vec![source(arrivals, &["ask"])],
        ..Plan::default()
    };
    for component in components {
        plan.hosts.push(host(&component.name, cores, sharing));
        plan.processes.push(process(
            &format!("{}#0", component.name),
            &component.name,
            &[component.name.as_str()],
        ));
        plan.components.push(component);
    }
    plan
}

/// Copies of a leaf that does `work`, on a host together, and a registry's process. The leaf is asked 100 times a second for
/// 20 s, turn by turn, each call once.
pub fn leaves(cores: u32, copies: u32, work: Work) -> Plan {
    let leaf = component("leaf", vec![("serve", work)]);
    let registry = component("registry", vec![("list", Work::None)]);
    let ask = Work::call("leaf", "serve");
    let mut plan = system(cores, CpuSharing::Fcfs, vec![leaf, registry], ask, Arrivals::Constant(100.0));
    plan.processes.extend((1..copies).map(|n| process(&format!("leaf#{n}"), "leaf", &["leaf"])));
    plan.policies = edge(Policy {
        attempts: Some(1),
        timeout: Some(HumanDuration::from_millis(200)),
        balance: Some(Balance::RoundRobin),
        ..Policy::default()
    });
    plan.sources[0].until_ns = 20 * SECOND;
    plan
}

/// A registry in the process of [`leaves`], whose changes callers know 1 ms later.
pub fn registry(members: Vec<String>) -> RegistryPlan {
    RegistryPlan { process: "registry#0".into(), members, watch_ns: MILLISECOND }
}

/// One station of so many cores, at load `rho` by Poisson arrivals.
pub fn station(cores: u32, sharing: CpuSharing, service: Distribution, rho: f64) -> Plan {
    let rate = rho * f64::from(cores) * 1e9 / SERVICE;
    let serve = component("station", vec![("serve", Work::Cpu(service))]);
    system(cores, sharing, vec![serve], Work::call("station", "serve"), Arrivals::Poisson(rate))
}

pub fn simulate(plan: &Plan, seed: u64, until_ns: u64) -> Report {
    let mut simulation: Simulation = match Simulation::new(plan, seed) {
        Ok(simulation) => simulation,
        Err(errors) => panic!("{errors:?}"),
    };
    let report = simulation.run(until_ns);
    assert_eq!(report.diverged, None);
    assert!(simulation.is_balanced(), "Little's law");
    report
}

/// Replications of a plan until there are as many requests as asked, a tenth of each left out as its start. Reports are in
/// the order of seeds.
pub fn replications(make: impl Fn() -> Plan + Sync, rate: f64) -> Vec<Report> {
    let length_ns = (requests() / REPLICATIONS as f64 / rate * 1e9) as u64;
    replicate(1, REPLICATIONS, THREADS, |seed| {
        let mut plan = make();
        for source in &mut plan.sources {
            (source.until_ns, source.warm_up_ns) = (length_ns, length_ns / 10);
        }
        simulate(&plan, seed, u64::MAX)
    })
}

/// Latencies of an operation of all replications.
pub fn latency(reports: &[Report], operation: &str) -> Latency {
    let mut all = Latency::default();
    for report in reports {
        all.merge(&report.requests[operation].latency);
    }
    all
}

/// How much wider a gate is than that of 16 million requests.
pub fn widening() -> f64 {
    (FULL_REQUESTS / requests()).sqrt().max(1.0)
}

/// A mean is as close to its closed form as the handbook asks of 16 million requests, `gate` (relative), and so much wider
/// as there are fewer.
pub fn close(what: &str, seen: f64, expected: f64, gate: f64) {
    let gate = gate * widening();
    let error = seen / expected - 1.0;
    println!(
        "{what}: {seen:.5}, expected {expected:.5}: {:+.3} %, gate {:.2} %",
        error * 100.0,
        gate * 100.0
    );
    assert!(error.abs() < gate, "{what}: {seen} is {:+.2} % from {expected}", error * 100.0);
}
