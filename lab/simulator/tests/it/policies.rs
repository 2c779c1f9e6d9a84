//! Policies of edges: those of a live run, on virtual time.

use fault::{CallFault, End};
use policy::adaptive_concurrency::AdaptiveConcurrencyOptions;
use policy::breaker::{BreakerOptions, Window};
use policy::budget::BudgetOptions;
use policy::hedge::HedgeOptions;
use policy::service::ServiceOptions;
use policy::units::{HumanDuration, Rate, Ratio};
use policy::{Cancellation, Policy};
use simulator::analytic::scale;
use simulator::dist::Distribution;
use simulator::model::edge::Outcome;
use simulator::model::{Arrivals, ConnectionLimits, CpuSharing, Effect, FaultPlan, Plan, Work};

use super::fixture::{MILLISECOND, SECOND, component, edge, simulate, system};

const MS: fn(u64) -> HumanDuration = HumanDuration::from_millis;

/// A leaf that waits for 10 ms, 1,000 times a second for 20 s.
fn leaf(policy: Policy, wait: Work) -> Plan {
    let work = Work::call("leaf", "serve");
    let leaf = component("leaf", vec![("serve", wait)]);
    let mut plan = system(1, CpuSharing::Fcfs, vec![leaf], work, Arrivals::Constant(1e3));
    plan.policies = edge(policy);
    plan.sources[0].until_ns = 20 * SECOND;
    plan.sources[0].patience = Distribution::Constant(5 * SECOND);
    plan
}

fn steady() -> Work {
    Work::Wait(Distribution::Constant(10 * MILLISECOND))
}

/// A share of calls to the leaf is answered with 503 by a fault, from second 5 to 10 or throughout.
fn failing(mut plan: Plan, share: f64, seconds: std::ops::Range<u64>) -> Plan {
    let fault = CallFault { end: Some(End::Abort(503)), ..CallFault::default() };
    plan.faults.push(FaultPlan {
        name: "abort".into(),
        start_ns: seconds.start * SECOND,
        end_ns: seconds.end * SECOND,
        effect: Effect::Edge("client->leaf".parse().expect("an edge"), Ratio::new(share), fault),
    });
    plan
}

#[test]
fn free_retries_multiply_and_a_budget_bounds_them() {
    let policy = Policy { attempts: Some(3), ..Policy::default() };
    let report = simulate(&failing(leaf(policy.clone(), steady()), 0.5, 0..100), 1, u64::MAX);
    let counts = report.edges["client->leaf"];
    let tries = (counts.calls + counts.retries) as f64 / counts.calls as f64;
    // 20,000 calls of 1 to 3 tries: a standard deviation is 0.006.
    assert!((tries - scale::tries_per_call(0.5, 3)).abs() < 0.025, "{tries}");
    let failed = 1.0 - report.requests["users/ask"].ended(Outcome::Done) as f64 / counts.calls as f64;
    assert!((failed - 0.125).abs() < 0.01, "an eighth fail three times: {failed}");

    let budget = BudgetOptions { ratio: Ratio::new(0.1), min: Rate::per_second(0.0), window: MS(10_000) };
    let policy = Policy { budget: Some(budget), ..policy };
    let counts = simulate(&failing(leaf(policy, steady()), 1.0, 0..100), 1, u64::MAX).edges["client->leaf"];
    let more = counts.retries as f64 / counts.calls as f64;
    assert!(more <= 0.1 + 1e-9 && more > 0.08, "a tenth of the calls are retries: {more}");
}

#[test]
fn a_copy_gets_as_many_requests_at_once_as_its_caller_has_connections() {
    let pass = component("middle", vec![("pass", Work::call("leaf", "serve"))]);
    let serve = component("leaf", vec![("serve", Work::Wait(Distribution::Constant(100 * MILLISECOND)))]);
    let work = Work::call("middle", "pass");
    let mut plan = system(1, CpuSharing::Fcfs, vec![pass, serve], work, Arrivals::Constant(100.0));
    plan.policies = edge(Policy { attempts: Some(1), ..Policy::default() });
    plan.sources[0].until_ns = 20 * SECOND;
    plan.sources[0].patience = Distribution::Constant(5 * SECOND);
    let ended = |plan: &Plan| {
        let report = simulate(plan, 1, u64::MAX);
        let requests = &report.requests["users/ask"];
        (requests.ended(Outcome::Done), requests.ended(Outcome::Failed(503)), requests.all())
    };
    let (done, _, all) = ended(&plan);
    assert_eq!(done, all, "without a limit ten are under way");
    // Five connections of ten requests a second each; ten requests wait, and the others are refused.
    plan.connections = Some(ConnectionLimits { connections: 5, waiting: 10 });
    let (done, refused, all) = ended(&plan);
    assert!((1_000..=1_020).contains(&done), "{done} of {all}");
    assert_eq!(done + refused, all);
}

#[test]
fn a_breaker_opens_and_closes_again() {
    let breaker =
        BreakerOptions { window: Window::Time(MS(1_000)), open: MS(1_000), ..BreakerOptions::default() };
    let policy = Policy { attempts: Some(1), breaker: Some(breaker), ..Policy::default() };
    let report = simulate(&failing(leaf(policy, steady()), 1.0, 5..10), 1, u64::MAX);
    let counts = report.edges["client->leaf"];
    assert!((4..=6).contains(&counts.opened), "once, and then after each second: {}", counts.opened);
    let requests = &report.requests["users/ask"];
    assert!(counts.held_back > 4_000, "of 5,000 calls most are not made: {}", counts.held_back);
    assert_eq!(requests.windows[15].failed, 0, "closed again");
    assert_eq!(requests.ended(Outcome::Failed(503)), requests.all() - requests.ended(Outcome::Done));
}

#[test]
fn a_hedge_cuts_the_tail_and_pays_for_it() {
    let wait = || {
        let slow = Work::Wait(Distribution::Constant(200 * MILLISECOND));
        Work::Seq(vec![steady(), Work::Sometimes(0.02, Box::new(slow))])
    };
    let p99 = |policy: Policy| {
        let report = simulate(&leaf(policy, wait()), 1, u64::MAX);
        let requests = &report.requests["users/ask"];
        assert_eq!(requests.ended(Outcome::Done), requests.all());
        (requests.latency.quantile_us(0.99), report.edges["client->leaf"])
    };
    let (without, _) = p99(Policy { attempts: Some(1), ..Policy::default() });
    let hedge = HedgeOptions { after: MS(20), extra: Ratio::new(0.05) };
    let (with, counts) = p99(Policy { attempts: Some(1), hedge: Some(hedge), ..Policy::default() });
    assert!((209_000..212_000).contains(&without), "{without}");
    // 20 ms, and the second try's 10.
    assert!((29_000..31_000).contains(&with), "{with}");
    let second = counts.retries as f64 / counts.calls as f64;
    assert!((second - 0.02).abs() < 0.004, "one in fifty is sent twice: {second}");
}

#[test]
fn work_ends_with_its_caller_unless_it_is_detached() {
    let tried = |cancel| {
        let wait = Work::Wait(Distribution::Constant(300 * MILLISECOND));
        let policy =
            Policy { attempts: Some(1), timeout: Some(MS(100)), cancel: Some(cancel), ..Policy::default() };
        let mut plan = leaf(policy, wait);
        plan.components[1].options = ServiceOptions { slots: Some(50), ..ServiceOptions::default() };
        plan.sources[0].until_ns = SECOND;
        let report = simulate(&plan, 1, u64::MAX);
        assert_eq!(report.requests["users/ask"].ended(Outcome::Failed(504)), 1_000);
        (report.served["leaf/serve"].count, report.end_ns / MILLISECOND)
    };
    assert_eq!(tried(Cancellation::Propagate).0, 0, "none is finished");
    // 50 slots do 167 a second. The deadline refuses those that wait longer than 100 ms.
    let (served, _) = tried(Cancellation::Detach);
    assert!((150..=250).contains(&served), "{served}");
}

#[test]
fn a_bulkhead_and_a_fallback_keep_a_caller_alive() {
    let run = |fallback| {
        let wait = Work::Wait(Distribution::Constant(SECOND));
        let policy =
            Policy { attempts: Some(1), bulkhead: Some(10), fallback: Some(fallback), ..Policy::default() };
        let report = simulate(&leaf(policy, wait), 1, u64::MAX);
        let requests = &report.requests["users/ask"];
        (requests.ended(Outcome::Done), requests.all(), report.served["leaf/serve"].count)
    };
    // Ten at a time, a second each, for 20 s and a little.
    let (done, all, served) = run(false);
    assert!((190..=210).contains(&served), "{served}");
    assert_eq!(done, served);
    let (done, _, _) = run(true);
    assert_eq!(done, all, "the others are answered with the fallback");
}

#[test]
fn an_adaptive_limit_keeps_an_overloaded_callee_fast() {
    let run = |adaptive_concurrency| {
        let policy = Policy { attempts: Some(1), adaptive_concurrency, ..Policy::default() };
        let mut plan = leaf(policy, steady());
        plan.components[1].options = ServiceOptions { slots: Some(8), ..ServiceOptions::default() };
        let report = simulate(&plan, 1, u64::MAX);
        let requests = &report.requests["users/ask"];
        let (done, all) = (requests.ended(Outcome::Done), requests.all());
        (done, all, requests.latency.quantile_us(0.99), report.edges["client->leaf"].held_back)
    };
    // 1,000 a second for 800 that eight slots of 10 ms can do: a queue of 200 more each second, for 20 s.
    let (_, _, without, held_back) = run(None);
    assert!(without > 3_000_000 && held_back == 0, "{without} us");
    let (done, all, with, held_back) = run(Some(AdaptiveConcurrencyOptions::default()));
    assert_eq!(done + held_back, all);
    // Eight are worked on without a pause, and the others are refused.
    assert!((15_800..=16_100).contains(&done), "{done}");
    // 67 ms by the same arithmetic apart from this simulator: 53 calls of which eight are done in 10 ms.
    assert!((30_000..120_000).contains(&with), "{with} us");
}
