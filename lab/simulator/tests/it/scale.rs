//! Very many servers, and wide fan-out.

use std::collections::VecDeque;

use policy::Policy;
use policy::balance::{Balance, EndpointLoad, Picker};
use policy::breaker::{BreakerOptions, Window};
use simulator::analytic::scale;
use simulator::dist::Distribution;
use simulator::engine::{AdaptiveQueue, Rng, Scheduler};
use simulator::model::{Arrivals, CpuSharing, Plan, Simulation, Work};
use simulator::run::replicate;

use super::fixture::{
    MILLISECOND, SERVICE, close, component, edge, host, latency, process, replications, requests, source,
    system, widening,
};

const ARRIVAL: u8 = 0;
const DONE: u8 = 1;

/// Mean time at so many exponential servers, in mean services. `picker` joins the better of two by requests in flight, for
/// it is shown no latency; without one, each arrival goes to any server.
fn mean_time(seed: u64, servers: u64, rho: f64, picker: Option<&Picker>) -> f64 {
    let arrivals = requests() as u64;
    let loads: Vec<EndpointLoad> = (0..servers).map(|_| EndpointLoad::first()).collect();
    let mut queues: Vec<VecDeque<u64>> = vec![VecDeque::new(); servers as usize];
    let mut events = Scheduler::new(AdaptiveQueue::default());
    let (mut gaps, mut services, mut choices) =
        (Rng::new(seed, "gaps"), Rng::new(seed, "services"), Rng::new(seed, "choices"));
    let gap_ns = SERVICE / (rho * servers as f64);
    let (mut arrived, mut sum_ns, mut counted) = (0, 0_u128, 0_u64);
    events.at(0, ARRIVAL, 0);
    while let Some(event) = events.next(u64::MAX) {
        let now_ns = event.time_ns;
        if event.kind == ARRIVAL {
            arrived += 1;
            if arrived < arrivals {
                events.after((gaps.exp() * gap_ns).round() as u64, ARRIVAL, 0);
            }
            let bits = choices.bits();
            let server = match picker {
                Some(picker) => {
                    picker.pick(&loads, |load| load, now_ns, bits, None).expect("there are servers")
                }
                None => ((u128::from(bits) * u128::from(servers)) >> 64) as usize,
            };
            loads[server].begin();
            queues[server].push_back(now_ns);
            if queues[server].len() == 1 {
                events.after((services.exp() * SERVICE) as u64, DONE, server as u32);
            }
            continue;
        }
        let server = event.index as usize;
        loads[server].end();
        let since_ns = queues[server].pop_front().expect("a server that is done had a request");
        // The queues take a while to fill.
        if arrived > arrivals / 4 {
            sum_ns += u128::from(now_ns - since_ns);
            counted += 1;
        }
        if !queues[server].is_empty() {
            events.after((services.exp() * SERVICE) as u64, DONE, event.index);
        }
    }
    sum_ns as f64 / counted as f64 / SERVICE
}

#[test]
fn two_choices_are_far_better_than_one() {
    // Without a choice servers have nothing to do with each other, and each needs thousands of requests: so there are few.
    for (d, servers, rho, gate) in [(1, 10, 0.9, 0.02), (2, 1_000, 0.9, 0.01), (2, 1_000, 0.99, 0.03)] {
        let means = replicate(1, 2, 2, |seed| {
            let picker = Picker::new(Balance::P2cEwma);
            mean_time(seed, servers, rho, (d == 2).then_some(&picker))
        });
        let seen = means.iter().sum::<f64>() / means.len() as f64;
        close(&format!("{d} choices at {rho}"), seen, scale::power_of_d_time(rho, d), gate);
    }
}

#[test]
fn one_slow_call_in_a_hundred_hits_most_of_a_hundred() {
    let plan = || {
        let slow = Work::Sometimes(0.01, Box::new(Work::Wait(Distribution::Constant(10 * MILLISECOND))));
        let branches = (0..100).map(|_| Work::call("leaf", "serve")).collect();
        let leaf = component("leaf", vec![("serve", slow)]);
        system(1, CpuSharing::Fcfs, vec![leaf], Work::all(branches), Arrivals::Constant(1e3))
    };
    let values = latency(&replications(plan, 100e3), "users/ask").values;
    let (slow, all) = (values.above(5_000) as f64, values.len() as f64);
    let expected = scale::tail_of_fan_out(0.01, 100);
    println!("{} of {all}, expected {expected}", slow / all);
    // Half a point for 160,000 requests, of which each makes a hundred calls: four standard deviations.
    assert!((slow / all - expected).abs() < 0.005 * widening());
}

/// Copies of a gateway, of feeds and of photos, of which each asks 32 of every component that it calls, with breakers and budgets
/// of retries; `more` are operations of the feed that no request asks for.
fn copies(more: Vec<(&str, Work)>) -> Plan {
    let copies = |name: &'static str, count: usize| {
        (0..count).map(move |copy| process(&format!("{name}#{copy}"), "host", &[name]))
    };
    let get = |work| vec![("get", work)];
    let both = Work::Seq(vec![Work::call("feed", "get"), Work::call("photo", "get")]);
    let feed = get(Work::call("photo", "get")).into_iter().chain(more).collect();
    let breaker = BreakerOptions { window: Window::Calls(20), ..BreakerOptions::default() };
    Plan {
        hosts: vec![host("host", 64, CpuSharing::Fcfs)],
        processes: copies("client", 100)
            .chain(copies("gateway", 300))
            .chain(copies("feed", 250))
            .chain(copies("photo", 200))
            .chain(copies("profile", 50))
            .collect(),
        components: vec![
            component("client", vec![("ask", Work::call("gateway", "get"))]),
            component("gateway", get(both)),
            component("feed", feed),
            component("photo", get(Work::Cpu(Distribution::Constant(1_000)))),
            component("profile", get(Work::Cpu(Distribution::Constant(1_000)))),
        ],
        policies: edge(Policy { breaker: Some(breaker), ..Policy::default() }),
        sources: vec![source(Arrivals::Constant(1e3), &["ask"])],
        ..Plan::default()
    }
}

#[test]
fn a_copy_holds_little_and_nothing_for_calls_that_no_request_comes_to() {
    let held = |plan: &Plan| {
        let simulation: Simulation = Simulation::new(plan, 1).expect("a plan of the tests");
        simulation.held_bytes()
    };
    let plan = copies(Vec::new());
    let each = held(&plan) / plan.processes.len();
    println!("{each} bytes a copy");
    // 950 edges of 900 copies, each to 32: 34 views of 72 bytes and about 1,200 of the process, the edge, its breaker and its budget.
    // Of ten thousand copies, which have more edges each, that is some 70 MB.
    assert!(each < 4_200, "{each} bytes a copy");
    let unused = vec![("list", Work::call("profile", "get"))];
    assert_eq!(held(&copies(unused)), held(&plan), "an edge that is never asked for");
}
