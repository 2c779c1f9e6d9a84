//! The simulator: queues of events, and events a second of a model. Times are CPU of the thread, not of the wall.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use policy::Policy;
use policy::units::HumanDuration;
use runtime::clock::thread_cpu_ns;
use simulator::dist::{Distribution, Histogram};
use simulator::engine::{AdaptiveQueue, EventQueue, HeapQueue, RadixQueue, Rng, Scheduler, WheelQueue};
use simulator::model::network::Link;
use simulator::model::{
    Arrivals, ComponentPlan, CpuSharing, HopCosts, HostPlan, OperationPlan, Plan, ProcessPlan, QueuePlan,
    Simulation, SourcePlan, Work,
};

/// CPU of this thread in `run`.
fn cpu_of(run: impl FnOnce()) -> Duration {
    let start_ns = thread_cpu_ns();
    run();
    Duration::from_nanos(thread_cpu_ns() - start_ns)
}

/// Events of the hold model: each that happens schedules another, 1 ms later on average.
struct Hold<Q> {
    events: Scheduler<Q>,
    rng: Rng,
}

impl<Q: EventQueue + Default> Hold<Q> {
    /// So many are pending, after as many turns as it takes a queue to fit itself to the load.
    fn new(pending: u32) -> Self {
        let mut hold = Self { events: Scheduler::new(Q::default()), rng: Rng::new(1, "hold") };
        (0..pending).for_each(|number| hold.schedule(number));
        (0..4 * pending.max(50_000)).for_each(|_| hold.turn());
        hold
    }

    fn schedule(&mut self, number: u32) {
        self.events.after((self.rng.exp() * 1e6) as u64, 0, number);
    }

    fn turn(&mut self) {
        let event = self.events.next(u64::MAX).expect("events are pending");
        self.schedule(event.index);
    }
}

fn hold<Q: EventQueue + Default>(criterion: &mut Criterion, name: &str, pending: u32) {
    let mut group = criterion.benchmark_group("simulator/hold");
    group.throughput(Throughput::Elements(1));
    let mut hold: Option<Hold<Q>> = None;
    group.bench_function(BenchmarkId::new(name, pending), |bencher| {
        let hold = hold.get_or_insert_with(|| Hold::new(pending));
        bencher.iter_custom(|turns| cpu_of(|| (0..turns).for_each(|_| hold.turn())));
    });
    group.finish();
}

pub fn queues(criterion: &mut Criterion) {
    for pending in [100, 1_000, 20_000, 100_000, 1_000_000] {
        hold::<HeapQueue>(criterion, "binary heap", pending);
        hold::<RadixQueue>(criterion, "radix heap", pending);
        hold::<WheelQueue>(criterion, "wheel", pending);
        hold::<AdaptiveQueue>(criterion, "adaptive", pending);
    }
}

/// A distribution as it is measured: 512 bins that are equally likely.
fn measured(distribution: &Distribution) -> Distribution {
    const BINS: usize = 512;
    const SAMPLES_PER_BIN: usize = 100;
    let mut rng = Rng::new(1, "measured");
    let mut samples: Vec<u64> =
        (0..BINS * SAMPLES_PER_BIN).map(|_| distribution.sample(rng.bits())).collect();
    samples.sort_unstable();
    let bins = samples.chunks(SAMPLES_PER_BIN).map(|bin| (bin[0], bin[SAMPLES_PER_BIN - 1], 1));
    Distribution::Measured(Histogram::new(&bins.collect::<Vec<_>>()).expect("bins"))
}

/// gateway -> feed -> (follower || photo), a quarter of the instances each, on a host of four cores each, at load 0.6.
/// `has_policies`: timeouts, retries with a budget and breakers on all edges.
fn sized(instances: u32, rate: f64, has_policies: bool) -> Plan {
    let copies = instances / 4;
    let service_ns = 0.6 * 4.0 * f64::from(copies) / rate * 1e9;
    let service = measured(&Distribution::Exponential(service_ns));
    let cpu = || Work::Cpu(service.clone());
    let component = |name: &str, work: Work| ComponentPlan {
        name: name.into(),
        options: Default::default(),
        queue: QueuePlan::Fifo,
        operations: vec![OperationPlan { name: "home".into(), work, is_idempotent: true }],
    };
    let call = |name: &str| Work::call(name, "home");
    let both = Work::all(vec![call("follower"), call("photo")]);
    let process = |name: &str, component: &str, host: &str| ProcessPlan {
        name: name.into(),
        host: host.into(),
        workers: 1_000_000,
        blocking: 1,
        has_driver: false,
        components: vec![component.into()],
        costs: HopCosts::default(),
        wake: Distribution::ZERO,
    };
    let host =
        |name: &str, cores| HostPlan { name: name.into(), cores, sharing: CpuSharing::Fcfs, contention: 0.0 };
    let mut plan = Plan {
        hosts: vec![host("clients", 4)],
        components: vec![
            component("client", call("gateway")),
            component("gateway", Work::Seq(vec![cpu(), call("feed")])),
            component("feed", Work::Seq(vec![cpu(), both])),
            component("follower", cpu()),
            component("photo", cpu()),
        ],
        network: Link { one_way: measured(&Distribution::lognormal(5e4, 0.5)), ..Link::default() },
        sources: vec![SourcePlan {
            name: "users".into(),
            client: "client".into(),
            operations: vec![("home".into(), 1.0)],
            arrivals: Arrivals::Poisson(rate),
            until_ns: u64::MAX,
            patience: Distribution::ZERO,
            warm_up_ns: 0,
        }],
        ..Plan::default()
    };
    for name in ["gateway", "feed", "follower", "photo"] {
        for copy in 0..copies {
            let name_of_copy = format!("{name}#{copy}");
            plan.hosts.push(host(&name_of_copy, 4));
            plan.processes.push(process(&name_of_copy, name, &name_of_copy));
        }
    }
    // As many clients as gateways: each has its own view of them.
    plan.processes.extend((0..copies).map(|copy| process(&format!("client#{copy}"), "client", "clients")));
    let policy = if has_policies {
        Policy { timeout: Some(HumanDuration::from_millis(1_000)), ..Policy::default() }
    } else {
        Policy { attempts: Some(1), ..Policy::default() }
    };
    plan.policies = vec![("*->*".parse().expect("an edge"), policy)];
    plan
}

pub fn model(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator/events");
    group.sample_size(10);
    for (instances, rate, slice_ns) in
        [(4, 8e3, 500_000_000), (1_000, 1e6, 10_000_000), (10_000, 1e6, 10_000_000)]
    {
        for (name, has_policies) in [("bare", false), ("policies", true)] {
            let mut simulation: Simulation = Simulation::new(&sized(instances, rate, has_policies), 1)
                .unwrap_or_else(|errors| panic!("{errors:?}"));
            // Queues fill, and the queue of events fits itself to the load.
            let mut until_ns = 10 * slice_ns;
            simulation.run_until(until_ns);
            let before = simulation.happened();
            simulation.run_until(until_ns + 2 * slice_ns);
            until_ns += 2 * slice_ns;
            let events = (simulation.happened() - before) / 2;
            group.throughput(Throughput::Elements(events));
            let id = format!("{name}, {instances} instances, {} ms of {rate}/s", slice_ns / 1_000_000);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|slices| {
                    cpu_of(|| {
                        for _ in 0..slices {
                            until_ns += slice_ns;
                            simulation.run_until(until_ns);
                        }
                    })
                });
            });
        }
    }
    group.finish();
}
