//! Known behaviour: overload that stays, a trace by hand, and results that depend on nothing but plan and seed.

use fault::{CallFault, ProcessFault};
use policy::budget::BudgetOptions;
use policy::hedge::HedgeOptions;
use policy::service::ServiceOptions;
use policy::units::{HumanDuration, Rate, Ratio};
use policy::{Cancellation, EdgePattern, Policy};
use simulator::dist::Distribution;
use simulator::engine::{AdaptiveQueue, EventQueue, HeapQueue, RadixQueue, WheelQueue};
use simulator::model::network::Link;
use simulator::model::{
    Arrivals, CpuSharing, DatabasePlan, Effect, FaultPlan, HopCosts, Plan, QueuePlan, Report, Simulation,
    Work,
};
use simulator::run::replicate;

use super::fixture::{MILLISECOND, SECOND, component, edge, host, process, simulate, source, system};

const US: u64 = 1_000;

/// A station that can do 1,000 a second and is asked for 800, with a timeout of 1 s and three retries; from second 10 to 20
/// all its work takes three times as long. What is not answered in time is worked on all the same.
fn overload(budget: Option<BudgetOptions>, queue: Option<u32>, order: QueuePlan) -> Report {
    let mut leaf = component("leaf", vec![("serve", Work::Wait(Distribution::Exponential(1e7)))]);
    leaf.options = ServiceOptions { slots: Some(10), queue, ..ServiceOptions::default() };
    leaf.queue = order;
    let work = Work::call("leaf", "serve");
    let mut plan = system(1, CpuSharing::Fcfs, vec![leaf], work, Arrivals::Poisson(800.0));
    plan.policies = edge(Policy {
        timeout: Some(HumanDuration::from_millis(1_000)),
        attempts: Some(4),
        budget,
        deadline: Some(false),
        cancel: Some(Cancellation::Detach),
        ..Policy::default()
    });
    plan.faults.push(FaultPlan {
        name: "slow".into(),
        start_ns: 10 * SECOND,
        end_ns: 20 * SECOND,
        effect: Effect::Component(
            "leaf".into(),
            Ratio::new(1.0),
            CallFault { slow: 3.0, ..CallFault::default() },
        ),
    });
    simulate(&plan, 1, 90 * SECOND)
}

/// Answers a second from second `from` to `to`.
fn goodput(report: &Report, from: usize, to: usize) -> f64 {
    let done: u64 = report.requests["users/ask"].windows[from..to].iter().map(|window| window.done).sum();
    done as f64 / (to - from) as f64
}

#[test]
fn retries_keep_an_overload_alive_after_its_cause_has_gone() {
    let naive = overload(None, None, QueuePlan::Fifo);
    assert!(goodput(&naive, 2, 10) > 750.0, "before the trigger: {}", goodput(&naive, 2, 10));
    assert!(goodput(&naive, 60, 90) < 80.0, "still down 40 s after it: {}", goodput(&naive, 60, 90));
}

#[test]
fn a_retry_budget_lets_it_recover() {
    let budget = BudgetOptions {
        ratio: Ratio::new(0.1),
        min: Rate::per_second(1.0),
        window: HumanDuration::from_millis(10_000),
    };
    let budgeted = overload(Some(budget), None, QueuePlan::Fifo);
    assert!(goodput(&budgeted, 70, 90) > 750.0, "{}", goodput(&budgeted, 70, 90));
}

#[test]
fn the_newest_first_and_a_short_queue_let_it_recover() {
    let shedding = overload(None, Some(100), QueuePlan::Lifo);
    assert!(goodput(&shedding, 30, 90) > 750.0, "{}", goodput(&shedding, 30, 90));
}

#[test]
fn a_trace_without_chance_is_as_by_hand() {
    let mut plan = Plan {
        hosts: vec![host("one", 1, CpuSharing::Fcfs), host("clients", 1, CpuSharing::Fcfs)],
        processes: vec![process("clients", "clients", &["client"])],
        components: vec![
            component("client", vec![("ask", Work::call("feed", "home"))]),
            component(
                "feed",
                vec![(
                    "home",
                    Work::Seq(vec![
                        Work::Cpu(Distribution::Constant(300 * US)),
                        Work::call("photo", "get"),
                        Work::Cpu(Distribution::Constant(50 * US)),
                    ]),
                )],
            ),
            component("photo", vec![("get", Work::Read(Distribution::Constant(200 * US)))]),
        ],
        databases: vec![DatabasePlan {
            name: "photo".into(),
            components: vec!["photo".into()],
            shards: 1,
            readers: 1,
            sync: Distribution::ZERO,
            group_commit: false,
            checkpoint_every: 0,
            checkpoint: Distribution::ZERO,
        }],
        loopback: Link { one_way: Distribution::Constant(10 * US), ..Link::default() },
        network: Link { one_way: Distribution::Constant(20 * US), ..Link::default() },
        policies: edge(Policy { attempts: Some(1), ..Policy::default() }),
        sources: vec![source(Arrivals::Constant(100.0), &["ask"])],
        ..Plan::default()
    };
    for name in ["feed", "photo"] {
        let mut process = process(name, "one", &[name]);
        process.costs = HopCosts {
            send: 20 * US,
            receive: 30 * US,
            reply: 10 * US,
            receive_reply: 15 * US,
            wake: 40 * US,
            ..HopCosts::default()
        };
        plan.processes.push(process);
    }
    plan.sources[0].until_ns = SECOND;
    // 20 to feed; 30 + 40 to receive and wake, 300, 20 to send; 10 to photo; 70; 200; 10 to reply; 10 back; 15 + 40; 50; 10 to
    // reply; 20 back.
    let expected_us = 20 + 70 + 300 + 20 + 10 + 70 + 200 + 10 + 10 + 55 + 50 + 10 + 20;
    let report = simulate(&plan, 1, u64::MAX);
    let latency = &report.requests["users/ask"].latency;
    assert_eq!((latency.count, latency.sum_ns), (100, 100 * u128::from(expected_us * US)));
    assert_eq!(report.cpu_ns["feed"], 100 * (70 + 300 + 20 + 55 + 50 + 10) * US);
    assert_eq!(report.cpu_ns["photo"], 100 * (70 + 200 + 10) * US);

    // A process that is woken takes its time to begin: feed for the call and for the answer of photo, photo for its call.
    for process in &mut plan.processes {
        process.wake =
            if process.name == "clients" { Distribution::ZERO } else { Distribution::Constant(100 * US) };
    }
    let latency_ns = simulate(&plan, 1, u64::MAX).requests["users/ask"].latency.sum_ns;
    assert_eq!(latency_ns, 100 * u128::from((expected_us + 3 * 100) * US));

    // In one process a call costs nothing of that but being watched. feed: 70 + 3 + 300 + 3 + 200 + 50 + 10, and the clients'
    // network.
    plan.processes.truncate(1);
    let mut app = process("app", "one", &["feed", "photo"]);
    app.costs =
        HopCosts { receive: 30 * US, reply: 10 * US, wake: 40 * US, span: 3 * US, ..HopCosts::default() };
    plan.processes.push(app);
    let report = simulate(&plan, 1, u64::MAX);
    assert_eq!(
        report.requests["users/ask"].latency.sum_ns,
        100 * u128::from((20 + 70 + 3 + 300 + 3 + 200 + 50 + 10 + 20) * US)
    );
}

/// Two copies of everything, with all that has a policy, a database, or chance.
fn suite() -> Plan {
    let cpu = |us: f64| Work::Cpu(Distribution::lognormal(us * 1e3, 1.0));
    let mut photo = component(
        "photo",
        vec![
            ("get", Work::Seq(vec![cpu(80.0), Work::Read(Distribution::Exponential(1e5))])),
            (
                "post",
                Work::Seq(vec![
                    Work::Blocking(Distribution::Exponential(1e6)),
                    Work::Write(Distribution::Exponential(2e5)),
                ]),
            ),
        ],
    );
    photo.options = ServiceOptions { slots: Some(16), queue: Some(64), ..ServiceOptions::default() };
    photo.queue = QueuePlan::Standing { target_ns: 5 * MILLISECOND, interval_ns: 100 * MILLISECOND };
    let follower = component("follower", vec![("of", cpu(120.0))]);
    let home = Work::Seq(vec![
        cpu(100.0),
        Work::all(vec![Work::call("follower", "of"), Work::call("photo", "get")]),
        cpu(40.0),
    ]);
    let feed = component("feed", vec![("home", home), ("fan-out", cpu(300.0))]);
    let post =
        Work::Seq(vec![Work::call("photo", "post"), Work::Spawn(Box::new(Work::call("feed", "fan-out")))]);
    let gateway = component(
        "gateway",
        vec![
            ("home", Work::Seq(vec![cpu(20.0), Work::call("feed", "home")])),
            ("post", Work::Seq(vec![cpu(20.0), post])),
        ],
    );
    let client = component(
        "client",
        vec![("home", Work::call("gateway", "home")), ("post", Work::call("gateway", "post"))],
    );
    let costs = HopCosts {
        send: 8 * US,
        receive: 12 * US,
        reply: 6 * US,
        receive_reply: 8 * US,
        wake: 20 * US,
        local: 100,
        span: 2 * US,
        cold_permille: 500,
        cooling_ns: 2 * MILLISECOND,
    };
    let mut plan = Plan {
        hosts: vec![
            host("a", 2, CpuSharing::Quantum(MILLISECOND)),
            host("b", 2, CpuSharing::Shared),
            host("clients", 64, CpuSharing::Fcfs),
        ],
        processes: vec![process("clients", "clients", &["client"])],
        components: vec![gateway, feed, follower, photo, client],
        databases: vec![DatabasePlan {
            name: "photo".into(),
            components: vec!["photo".into()],
            shards: 1,
            readers: 4,
            sync: Distribution::lognormal(5e5, 1.0),
            group_commit: true,
            checkpoint_every: 100,
            checkpoint: Distribution::Exponential(1e7),
        }],
        loopback: Link { one_way: Distribution::lognormal(3e4, 0.5), ..Link::default() },
        network: Link {
            one_way: Distribution::lognormal(1e5, 0.5),
            loss: Ratio::new(1e-4),
            ..Link::default()
        },
        sources: vec![source(Arrivals::Poisson(1_500.0), &["home", "post"])],
        ..Plan::default()
    };
    plan.sources[0].operations[0].1 = 9.0;
    plan.sources[0].patience = Distribution::Constant(SECOND);
    for name in ["gateway", "feed", "follower", "photo"] {
        for (copy, on) in ["a", "b"].into_iter().enumerate() {
            let mut process = process(&format!("{name}#{copy}"), on, &[name]);
            (process.costs, process.workers, process.blocking) = (costs, 2, 4);
            // One copy of each, and what is paused: messages wait to be read there.
            process.has_driver = copy == 0 || name == "follower";
            process.wake = Distribution::Exponential(2e4);
            plan.processes.push(process);
        }
    }
    let pattern = |text: &str| text.parse::<EdgePattern>().expect("an edge");
    let timeout = Some(HumanDuration::from_millis(250));
    plan.policies = vec![
        (pattern("*->*"), Policy { timeout, ..Policy::default() }),
        (pattern("client->gateway"), Policy { attempts: Some(2), ..Policy::default() }),
        (
            pattern("feed->follower"),
            Policy {
                hedge: Some(HedgeOptions { after: HumanDuration::from_millis(3), extra: Ratio::new(0.05) }),
                ..Policy::default()
            },
        ),
        (pattern("feed->photo"), Policy { cancel: Some(Cancellation::Detach), ..Policy::default() }),
    ];
    let fault = |name: &str, start, end, effect| FaultPlan {
        name: name.into(),
        start_ns: start * SECOND,
        end_ns: end * SECOND,
        effect,
    };
    let delay = CallFault { delay: std::time::Duration::from_millis(30), ..CallFault::default() };
    let restart = Some(HumanDuration::from_millis(1_500));
    plan.faults = vec![
        fault("delay", 2, 3, Effect::Edge(pattern("feed->photo"), Ratio::new(0.3), delay)),
        fault("kill", 4, 4, Effect::Processes(vec!["photo#0".into()], ProcessFault::Kill(restart))),
        fault("pause", 7, 8, Effect::Processes(vec!["follower#1".into()], ProcessFault::Pause)),
    ];
    plan
}

/// All that a report holds.
fn bytes<Q: EventQueue + Default>(plan: &Plan, seed: u64) -> String {
    let mut simulation: Simulation<Q> =
        Simulation::new(plan, seed).unwrap_or_else(|errors| panic!("{errors:?}"));
    let report = simulation.run(12 * SECOND);
    assert!(simulation.is_balanced(), "Little's law");
    format!("{report:?}")
}

#[test]
fn all_queues_give_the_same_bytes() {
    let expected = bytes::<HeapQueue>(&suite(), 1);
    assert!(bytes::<WheelQueue>(&suite(), 1) == expected);
    assert!(bytes::<RadixQueue>(&suite(), 1) == expected);
    assert!(bytes::<AdaptiveQueue>(&suite(), 1) == expected);
    assert!(bytes::<AdaptiveQueue>(&suite(), 2) != expected, "and another seed others");
}

#[test]
fn the_order_of_declarations_does_not_matter() {
    let mut turned = suite();
    turned.hosts.reverse();
    turned.processes.reverse();
    turned.components.reverse();
    turned.components.iter_mut().for_each(|component| component.operations.reverse());
    turned.policies.reverse();
    turned.sources[0].operations.reverse();
    turned.faults.reverse();
    assert!(bytes::<AdaptiveQueue>(&turned, 1) == bytes::<AdaptiveQueue>(&suite(), 1));
}

#[test]
fn one_thread_or_two_give_the_same_bytes() {
    let run = |threads| replicate(7, 4, threads, |seed| bytes::<AdaptiveQueue>(&suite(), seed));
    assert!(run(1) == run(2));
}

#[test]
fn the_suite_meets_everything_it_has() {
    let report = simulate(&suite(), 1, 12 * SECOND);
    let edges = &report.edges;
    assert!(edges["feed->follower"].retries > 0, "hedges");
    assert!(
        edges["feed->photo"].timed_out > 0 || edges["feed->photo"].retries > 0,
        "{:?}",
        edges["feed->photo"]
    );
    let syncs = report.databases["photo"];
    assert!(syncs.commits > 500 && syncs.syncs < syncs.commits, "commits share syncs: {syncs:?}");
    let home = &report.requests["users/home"];
    assert!(home.latency.count > 12_000, "{}", home.latency.count);
    assert!(report.served["feed/fan-out"].count > 500, "what is spawned is served");
}
