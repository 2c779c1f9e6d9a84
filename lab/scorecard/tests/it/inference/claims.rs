//! Claims about a p99: where the limit is the true one few pass and few fail, and far from it most are decided.

use std::sync::Arc;

use record::Verdict;
use scorecard::expect::Op;
use scorecard::inference::{Figure, Frame, Resampling, against_limit};

use super::bounds::{at_least, at_most};
use super::card::{arrivals, quantile};
use super::queue::Queue;
use super::random::Random;
use super::truths::truth;

const REPLICAS: u64 = 200;

/// A window, its true p99 in seconds, and how often a limit of twice that is passed.
fn check(queue: Queue, p99_s: f64, passes_at_twice: f64, seed: u64) {
    let mut random = Random::new(seed);
    let (mut passed, mut failed, mut passed_at_twice) = (0, 0, 0);
    for replica in 0..REPLICAS {
        let frame = Frame { seed: replica, window: "steady".into(), rounds: 1, seconds: queue.seconds };
        let resampling = Arc::new(Resampling::new(&frame));
        let arrivals = arrivals(&queue.round(&mut random)[..1]);
        let figure = Figure::new(quantile(0.99, &arrivals), &resampling);
        let at = |limit: f64| against_limit(&figure, Op::AtMost, limit).verdict;
        passed += u64::from(at(p99_s) == Verdict::Pass);
        failed += u64::from(at(p99_s) == Verdict::Fail);
        passed_at_twice += u64::from(at(2.0 * p99_s) == Verdict::Pass);
    }
    println!("{queue:?}: {passed} passed, {failed} failed, {passed_at_twice} at twice, of {REPLICAS}");
    assert!(passed <= at_most(REPLICAS, 0.05) && failed <= at_most(REPLICAS, 0.05), "{passed} {failed}");
    assert!(passed_at_twice >= at_least(REPLICAS, passes_at_twice - 0.03), "{passed_at_twice}");
}

/// Of load 0.3, stalls and two that share: made by `make_truths`.
const P99_S: f64 = 0.040_576;

#[test]
fn twenty_seconds_at_load_0_3() {
    check(Queue::plain(120.0, 20, 0.3, true, true), P99_S, 0.75, 1);
}

#[test]
fn twenty_seconds_of_one_server_at_load_0_5() {
    check(Queue::plain(120.0, 20, 0.5, false, false), truth(20, 0.5, 0).p99_us * 1e-6, 0.21, 2);
}

#[test]
fn a_minute_at_load_0_5() {
    check(Queue::plain(200.0, 60, 0.5, true, true), truth(60, 0.5, 2).p99_us * 1e-6, 0.96, 3);
}
