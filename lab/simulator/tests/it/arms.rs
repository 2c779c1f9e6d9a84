//! Arms: the same work in other groupings.

use policy::EdgePattern;
use simulator::dist::Distribution;
use simulator::model::{Arrivals, CpuSharing, HopCosts, Plan, Work};

use super::fixture::{SECOND, component, host, no_policies, process, simulate, source};

/// `gateway` calls `a`, and `a` calls `b` twice and `c` next to it; grouped as asked, on so many cores.
fn grouped(groups: &[&[&str]], cores: u32, costs: HopCosts) -> Plan {
    let cpu = || Work::Cpu(Distribution::lognormal(1e5, 1.0));
    let both = Work::Seq(vec![Work::call("b", "get"), Work::call("b", "get")]);
    let mut plan = Plan {
        hosts: vec![host("one", cores, CpuSharing::Fcfs), host("clients", 1_000, CpuSharing::Fcfs)],
        processes: vec![process("clients", "clients", &["client"])],
        components: vec![
            component("client", vec![("ask", Work::call("a", "get"))]),
            component(
                "a",
                vec![("get", Work::Seq(vec![cpu(), Work::all(vec![both, Work::call("c", "get")]), cpu()]))],
            ),
            component("b", vec![("get", cpu())]),
            component("c", vec![("get", Work::Sometimes(0.3, Box::new(cpu())))]),
        ],
        policies: no_policies() as Vec<(EdgePattern, _)>,
        sources: vec![source(Arrivals::Poisson(1_000.0), &["ask"])],
        ..Plan::default()
    };
    plan.sources[0].until_ns = 5 * SECOND;
    for (group, number) in groups.iter().zip(0..) {
        let mut process = process(&format!("process-{number}"), "one", group);
        process.costs = costs;
        plan.processes.push(process);
    }
    plan
}

#[test]
fn a_request_asks_as_much_of_every_arm() {
    let free = HopCosts::default();
    let run = |groups: &[&[&str]]| simulate(&grouped(groups, 1_000, free), 1, u64::MAX).requests;
    let mono = run(&[&["a", "b", "c"]]);
    assert_eq!(mono["users/ask"].latency.count, mono["users/ask"].sent);
    // With free hops and cores for all, what differs is nothing.
    assert_eq!(run(&[&["a"], &["b"], &["c"]]), mono);
    assert_eq!(run(&[&["a", "c"], &["b"]]), mono);
}

#[test]
fn hops_cost_what_they_cost() {
    let costs =
        HopCosts { send: 10_000, receive: 20_000, reply: 5_000, receive_reply: 8_000, ..HopCosts::default() };
    let cpu = |groups: &[&[&str]]| {
        let report = simulate(&grouped(groups, 1_000, costs), 1, u64::MAX);
        let requests = report.requests["users/ask"].sent;
        let used = report.cpu_ns.iter().filter(|(name, _)| name.starts_with("process"));
        (used.map(|(_, ns)| *ns).sum::<u64>(), requests)
    };
    let (mono, requests) = cpu(&[&["a", "b", "c"]]);
    let (micro, _) = cpu(&[&["a"], &["b"], &["c"]]);
    // Three calls between processes, each sent, received, answered, and its answer received.
    assert_eq!(micro - mono, requests * 3 * 43_000);
}
