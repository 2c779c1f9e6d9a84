//! Faults: they begin, act, and end.

use std::time::Duration;

use fault::{CallFault, End, ProcessFault};
use policy::Policy;
use policy::units::{HumanDuration, Ratio};
use simulator::dist::Distribution;
use simulator::model::edge::Outcome;
use simulator::model::{Arrivals, CpuSharing, Effect, FaultPlan, HopCosts, Plan, Report, Simulation, Work};

use super::fixture::{MILLISECOND, SECOND, component, edge, simulate, system};

/// A leaf that uses 1 ms of CPU, 100 times a second for 10 s; a fault from second 4 to 6.
fn leaf(policy: Policy, effect: Effect) -> Plan {
    let leaf = component("leaf", vec![("serve", Work::Cpu(Distribution::Constant(MILLISECOND)))]);
    let work = Work::call("leaf", "serve");
    let mut plan = system(1, CpuSharing::Fcfs, vec![leaf], work, Arrivals::Constant(100.0));
    plan.policies = edge(policy);
    plan.sources[0].until_ns = 10 * SECOND;
    plan.faults.push(FaultPlan { name: "fault".into(), start_ns: 4 * SECOND, end_ns: 6 * SECOND, effect });
    plan
}

fn once() -> Policy {
    Policy { attempts: Some(1), ..Policy::default() }
}

fn calls(share: f64, fault: CallFault) -> [Effect; 2] {
    [
        Effect::Edge("client->leaf".parse().expect("an edge"), Ratio::new(share), fault),
        Effect::Component("leaf".into(), Ratio::new(share), fault),
    ]
}

/// Answers and failures by second.
fn seconds(report: &Report) -> Vec<(u64, u64)> {
    report.requests["users/ask"].windows.iter().map(|window| (window.done, window.failed)).collect()
}

#[test]
fn a_delay_is_added_while_it_holds_and_no_longer() {
    for effect in calls(1.0, CallFault { delay: Duration::from_millis(50), ..CallFault::default() }) {
        let report = simulate(&leaf(once(), effect), 1, u64::MAX);
        let windows = &report.requests["users/ask"].windows;
        assert_eq!(windows[2].latencies.max(), Some(1_000));
        let median = windows[5].latencies.quantile(0.5).expect("answers");
        assert!((50_990..=51_010).contains(&median), "{median}");
        assert_eq!(windows[7].latencies.max(), Some(1_000));
    }
}

#[test]
fn a_share_of_calls_fails_and_the_same_calls_for_each_seed() {
    for effect in calls(0.25, CallFault { end: Some(End::Abort(500)), ..CallFault::default() }) {
        let failed = |seed| {
            simulate(&leaf(once(), effect.clone()), seed, u64::MAX).requests["users/ask"]
                .ended(Outcome::Failed(500))
        };
        // 200 calls; three standard deviations are 18.
        assert!((32..=68).contains(&failed(1)), "{}", failed(1));
        assert_eq!(failed(1), failed(1));
    }
}

#[test]
fn a_call_that_hangs_ends_with_its_timeout() {
    let policy = Policy { timeout: Some(HumanDuration::from_millis(200)), ..once() };
    for effect in calls(1.0, CallFault { end: Some(End::Hang), ..CallFault::default() }) {
        let report = simulate(&leaf(policy.clone(), effect), 1, u64::MAX);
        let requests = &report.requests["users/ask"];
        assert_eq!(requests.ended(Outcome::Failed(504)), 200);
        assert_eq!(report.edges["client->leaf"].timed_out, 200);
        assert_eq!(requests.ended(Outcome::Done), 800);
    }
}

#[test]
fn an_answer_that_is_lost_has_cost_its_work() {
    let policy = Policy { timeout: Some(HumanDuration::from_millis(200)), ..once() };
    let [effect, _] = calls(1.0, CallFault { answer_lost: true, ..CallFault::default() });
    let report = simulate(&leaf(policy, effect), 1, u64::MAX);
    assert_eq!(report.requests["users/ask"].ended(Outcome::Failed(504)), 200);
    assert_eq!(report.served["leaf/serve"].count, 1_000);
}

#[test]
fn slow_work_takes_as_many_times_as_long() {
    let [_, effect] = calls(1.0, CallFault { slow: 5.0, ..CallFault::default() });
    let report = simulate(&leaf(once(), effect), 1, u64::MAX);
    assert_eq!(report.cpu_ns["leaf#0"], 800 * MILLISECOND + 200 * 5 * MILLISECOND);
}

#[test]
fn a_process_that_is_killed_refuses_until_it_is_back() {
    let restart = Some(HumanDuration::from_millis(1_500));
    let effect = || Effect::Processes(vec!["leaf#0".into()], ProcessFault::Kill(restart));
    let seen = seconds(&simulate(&leaf(once(), effect()), 1, u64::MAX));
    assert_eq!(seen[3], (100, 0));
    assert_eq!(seen[4].0, 0, "{seen:?}");
    assert_eq!(seen[5], (50, 50));
    assert_eq!(seen[6], (100, 0));
    // With another copy and a retry, no request fails: one that was refused did not happen.
    let mut plan = leaf(Policy { attempts: Some(2), ..Policy::default() }, effect());
    let mut other = super::fixture::process("leaf#1", "leaf", &["leaf"]);
    other.costs = HopCosts::default();
    plan.processes.push(other);
    let report = simulate(&plan, 1, u64::MAX);
    let requests = &report.requests["users/ask"];
    assert_eq!(requests.ended(Outcome::Done), requests.all());
    assert!(report.edges["client->leaf"].retries > 0);
}

#[test]
fn a_process_that_is_paused_goes_on_where_it_was() {
    let effect = Effect::Processes(vec!["leaf#0".into()], ProcessFault::Pause);
    let report = simulate(&leaf(once(), effect), 1, u64::MAX);
    let seen = seconds(&report);
    assert_eq!((seen[4].0, seen[5].0), (0, 0), "{seen:?}");
    // 201 were due meanwhile and in the millisecond after; all of them are answered.
    assert_eq!(seen[6].0, 300, "{seen:?}");
    assert_eq!(report.requests["users/ask"].ended(Outcome::Done), 1_000);
    let longest = report.requests["users/ask"].windows[6].latencies.max().expect("answers");
    assert!((2_001_000..2_003_000).contains(&longest), "{longest}");
}

#[test]
fn what_is_not_simulated_is_refused() {
    let refused = |effect: Effect| match Simulation::<simulator::engine::AdaptiveQueue>::new(
        &leaf(once(), effect),
        1,
    ) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.to_string()).collect(),
    };
    let [duplicated, _] = calls(1.0, CallFault { duplicated: true, ..CallFault::default() });
    assert_eq!(refused(duplicated), ["what fault `fault` does is not simulated"]);
    assert_eq!(refused(Effect::Processes(vec!["leaf#0".into()], ProcessFault::Restart)).len(), 1);
    let unknown = Effect::Processes(vec!["leaf#7".into()], ProcessFault::Pause);
    assert_eq!(refused(unknown), ["a fault names unknown process `leaf#7`"]);
}
