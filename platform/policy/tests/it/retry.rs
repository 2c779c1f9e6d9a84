//! The laws of retries: what may be repeated, and that no history of an edge pays for more than its share.
//!
//! Compared with Finagle's `RetryBudget` and Envoy's `retry_budget`: a share of first tries, and a floor for quiet edges.

use policy::budget::{BudgetOptions, RetryBudget};
use policy::retry::{AttemptOutcome, Idempotency, may_retry};
use policy::units::{HumanDuration, Rate, Ratio};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const WINDOW_S: u32 = 10;

fn budget(percent: u32, min: u32) -> RetryBudget {
    let window = HumanDuration::from_millis(u64::from(WINDOW_S) * 1_000);
    let ratio = Ratio::new(f64::from(percent) / 100.0);
    RetryBudget::new(BudgetOptions { ratio, min: Rate::per_second(f64::from(min)), window })
}

/// Every status and every other end of a try: few enough to try all.
#[test]
fn a_write_without_a_key_that_was_sent_is_never_sent_again() {
    let statuses = (100..1_000).map(AttemptOutcome::Status);
    let others = [AttemptOutcome::SentNoResponse, AttemptOutcome::BodyBroken];
    for outcome in statuses.chain(others) {
        assert!(!may_retry(outcome, Idempotency::NotIdempotent), "{outcome:?}");
    }
    assert!(may_retry(AttemptOutcome::NotSent, Idempotency::NotIdempotent));
}

/// An answer that says what it is, and one that has begun, are passed on.
#[test]
fn only_an_answer_with_a_status_that_may_pass_is_repeated() {
    let repeated: Vec<u16> = (100..1_000)
        .filter(|status| may_retry(AttemptOutcome::Status(*status), Idempotency::Idempotent))
        .collect();
    assert_eq!(repeated, [502, 503, 504]);
    assert!(!may_retry(AttemptOutcome::BodyBroken, Idempotency::Idempotent));
}

proptest! {
    #[test]
    fn over_all_its_life_an_edge_retries_no_more_than_its_share(
        steps in proptest::collection::vec((any::<bool>(), 0..3 * SECOND, any::<bool>()), 1..400),
        percent in 0_u32..=100,
    ) {
        let mut budget = budget(percent, 0);
        let (mut now, mut requests, mut retries) = (100 * SECOND, 0_u32, 0_u32);
        for (is_back, gap, is_request) in steps {
            now = if is_back { now.saturating_sub(gap) } else { now + gap };
            if is_request {
                budget.deposit(now);
                requests += 1;
            } else if budget.withdraw(now) {
                retries += 1;
            }
            let earned = f64::from(percent) / 100.0 * f64::from(requests);
            prop_assert!(f64::from(retries) <= earned + 1e-6, "{retries} of {earned}");
        }
    }

    #[test]
    fn at_one_moment_there_are_the_floor_and_the_share_and_no_more(
        percent in 0_u32..=100, min in 0_u32..20, requests in 0_u32..100,
    ) {
        let mut budget = budget(percent, min);
        (0..requests).for_each(|_| budget.deposit(SECOND));
        let retries = (0..1_000).filter(|_| budget.withdraw(SECOND)).count() as u32;
        // In hundredths of a retry, so that nothing is rounded.
        let tokens = percent * requests + min * WINDOW_S * 100;
        prop_assert_eq!(retries, tokens / 100);
    }

    #[test]
    fn a_quiet_edge_has_its_floor_again_after_a_window(min in 1_u32..20, spent in 0_u32..500) {
        let mut budget = budget(10, min);
        let paid = (0..spent).filter(|_| budget.withdraw(SECOND)).count() as u32;
        prop_assert_eq!(paid, spent.min(min * WINDOW_S));
        prop_assert!(budget.withdraw(SECOND + u64::from(WINDOW_S) * SECOND));
    }
}
