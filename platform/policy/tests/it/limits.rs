//! How much is let through: limits hold at every moment, and everything heals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use policy::admission::{AdmissionControl, AdmissionDecision, AdmissionOptions};
use policy::budget::{BudgetOptions, RetryBudget};
use policy::bulkhead::Bulkhead;
use policy::client::{ClientFailures, ClientLimits, ClientLine};
use policy::deadline::{MAX_DEADLINE_MS, remaining_ms};
use policy::gcra::Quota;
use policy::retry::{MAX_BACKOFF_NS, MIN_LEFT_NS, backoff};
use policy::throttle::{Throttle, ThrottleOptions};
use policy::units::{HumanDuration, Rate, Ratio};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

#[test]
fn ten_requests_at_ten_per_cent_pay_for_one_retry() {
    let mut budget =
        RetryBudget::new(BudgetOptions { min: Rate::per_second(0.0), ..BudgetOptions::default() });
    (0..10).for_each(|_| budget.deposit(0));
    assert!(budget.withdraw(0), "10 x 10 % is one, also in binary: {}", budget.balance());
    assert!(!budget.withdraw(0));
}

#[test]
fn an_empty_queue_forgets_that_it_once_stood() {
    let mut admission = AdmissionControl::new(AdmissionOptions { limit: 1, ..AdmissionOptions::default() });
    let wait = |admission: &mut AdmissionControl, now: u64| {
        assert_eq!(
            (admission.on_arrival(), admission.on_arrival()),
            (AdmissionDecision::Serve, AdmissionDecision::Wait)
        );
        admission.on_done();
        let entry = admission.on_dequeue(6 * MS, now);
        admission.on_done();
        entry
    };
    assert_eq!(
        wait(&mut admission, SECOND),
        AdmissionDecision::Serve,
        "one wait of 6 ms, then the queue is empty"
    );
    // Ten seconds of an empty house later: the queue has not been standing.
    assert_eq!(wait(&mut admission, 11 * SECOND), AdmissionDecision::Serve);
}

#[test]
fn a_bulkhead_holds_among_threads() {
    let (bulkhead, most) = (Arc::new(Bulkhead::new(3)), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let place = bulkhead.try_acquire();
                    most.fetch_max(bulkhead.taken(), Ordering::Relaxed);
                    drop(place);
                }
            });
        }
    });
    assert!(most.into_inner() <= 3);
    assert_eq!(bulkhead.taken(), 0);
}

/// What happens next to a house.
fn history() -> impl Strategy<Value = Vec<(u64, u8, usize)>> {
    proptest::collection::vec((0..SECOND, 0_u8..4, any::<usize>()), 0..200)
}

proptest! {
    #[test]
    fn retries_of_a_window_are_paid_by_its_requests(
        steps in proptest::collection::vec((0..SECOND / 2, any::<bool>()), 1..300),
        percent in 0_u32..=50,
        min in 0_u32..5,
    ) {
        let (ratio, min) = (f64::from(percent) / 100.0, f64::from(min));
        let options =
            BudgetOptions { ratio: Ratio::new(ratio), min: Rate::per_second(min), window: HumanDuration::from_millis(10_000) };
        let mut budget = RetryBudget::new(options);
        let (mut now, mut requests, mut retries) = (0, Vec::new(), Vec::new());
        for (gap, request) in steps {
            now += gap;
            if request {
                budget.deposit(now);
                requests.push(now);
            } else if budget.withdraw(now) {
                retries.push(now);
                // Slots are a second: what was spent in the last nine was earned in the last ten, or is the floor.
                let since = |events: &[u64], span: u64| events.iter().filter(|at| *at + span > now).count() as f64;
                let (spent, earned) = (since(&retries, 9 * SECOND), since(&requests, 10 * SECOND));
                prop_assert!(spent <= min * 10.0 + ratio * earned + 1e-6, "{spent} of {earned}");
            }
        }
    }

    #[test]
    fn a_throttle_lets_its_share_through_and_forgives_whatever_its_clock_did(
        steps in proptest::collection::vec((any::<bool>(), 0..5 * SECOND, any::<bool>(), 0.0..1.0_f64), 0..200),
        window_s in 1_u64..60, probe_percent in 1_u32..50,
    ) {
        let probe = f64::from(probe_percent) / 100.0;
        let window = HumanDuration::from_millis(window_s * 1_000);
        let mut throttle = Throttle::new(ThrottleOptions { k: 2.0, window, probe: Ratio::new(probe) });
        let (mut now, mut latest) = (100 * SECOND, 100 * SECOND);
        for (is_back, gap, is_accepted, die) in steps {
            now = if is_back { now.saturating_sub(gap) } else { now + gap };
            latest = latest.max(now);
            let rejection = throttle.rejection(now);
            prop_assert!((0.0..=1.0 - probe).contains(&rejection), "{rejection}");
            prop_assert_eq!(throttle.admits(now, die), die >= rejection);
            if is_accepted {
                throttle.accepted(now);
            }
        }
        // A window, and the slot that its first moment lies in.
        prop_assert_eq!(throttle.rejection(latest + 2 * window.nanos()), 0.0);
    }

    #[test]
    fn no_more_requests_are_admitted_than_may_be(steps in history(), limit in 0_u32..4, queue in 0_u32..4) {
        let mut admission = AdmissionControl::new(AdmissionOptions { limit, queue, ..AdmissionOptions::default() });
        let mut now = 0;
        for (gap, step, waited) in steps {
            now += gap;
            let (serving, waiting) = admission.counts();
            match step {
                0 => { admission.on_arrival(); }
                1 if serving > 0 => { admission.on_done(); }
                2 if waiting > 0 && serving < limit => { admission.on_dequeue(waited as u64 % (50 * MS), now); }
                3 if waiting > 0 => admission.on_abandoned(),
                _ => {}
            }
            let (serving, waiting) = admission.counts();
            prop_assert!(serving <= limit && waiting <= queue, "{serving} served, {waiting} waiting");
        }
    }

    #[test]
    fn a_client_has_no_more_than_its_share_and_none_of_its_requests_is_stuck(
        steps in history(), in_flight in 1_u32..5, in_flight_failing in 0_u32..5, waiting in 0_u32..5,
    ) {
        let failures = Quota { burst: 3, interval_ns: SECOND };
        let longest_hold_ns = 2 * SECOND;
        let limits = ClientLimits {
            in_flight,
            in_flight_failing,
            waiting,
            streams: 1,
            body_bytes: 1,
            failures,
            longest_hold_ns,
        };
        let (mut line, mut failures, mut now) = (ClientLine::default(), ClientFailures::default(), 0);
        for (gap, step, _) in steps {
            now += gap;
            let is_failing = failures.are_too_many(&limits, now);
            match step {
                0 => { line.on_arrival(&limits, is_failing); }
                1 => {
                    line.on_done();
                    while line.on_turn(&limits, is_failing) {}
                }
                2 => line.on_abandoned(),
                _ => prop_assert!(failures.on_failure(&limits, now) <= longest_hold_ns),
            }
            let (served, queued) = line.counts();
            prop_assert!(served <= in_flight && queued <= waiting, "{served} served, {queued} waiting");
            prop_assert!(queued == 0 || served > 0, "one that waits is behind one that is served");
        }
        // The burst and the longest hold are paid for, and nothing is remembered.
        prop_assert!(failures.are_forgotten(now + 6 * SECOND));
    }

    #[test]
    fn a_wait_is_jittered_below_its_cap_and_leaves_time(
        base in 0..2 * SECOND, n in 0_u32..100, bits: u64, left in 0..60 * SECOND,
    ) {
        if let Some(wait) = backoff(base, policy::retry::Jitter::Full, n, bits, left) {
            prop_assert!(wait <= MAX_BACKOFF_NS.max(base));
            prop_assert!(wait + MIN_LEFT_NS <= left);
        } else {
            prop_assert!(left < MAX_BACKOFF_NS.max(base) + MIN_LEFT_NS, "with time enough there is a wait");
        }
    }

    #[test]
    fn no_request_gets_more_time_than_its_route_gives(header in "[-+0-9a-z ]{0,22}", route_ms: u64) {
        if let Some(ms) = remaining_ms(Some(&header), route_ms) {
            prop_assert!((1..=MAX_DEADLINE_MS).contains(&ms) && ms <= route_ms.max(1));
        }
    }
}
