//! Whether a failed try is made again, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// With less time left than this, nanoseconds, a try is not worth starting.
pub const MIN_LEFT_NS: u64 = 10_000_000;
/// Longest wait between tries, ns.
pub const MAX_BACKOFF_NS: u64 = 250_000_000;

/// How a try ended, as far as trying again is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// Nothing was sent: anything may be tried again.
    NotSent,
    /// It was sent and nothing came back.
    SentNoResponse,
    /// A status came back.
    Status(u16),
    /// The answer had begun: it is too late.
    BodyBroken,
}

/// What a repeat may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Idempotency {
    /// A read, or a write with an idempotency key.
    Idempotent,
    /// Anything else.
    NotIdempotent,
}

/// How the wait between tries is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Jitter {
    /// Even between nothing and the whole wait.
    #[default]
    Full,
    /// Between half and the whole.
    Equal,
    /// Always the whole: callers that failed together come back together.
    None,
}

/// Whether a try that ended so may be made again.
pub const fn may_retry(outcome: AttemptOutcome, idempotency: Idempotency) -> bool {
    match outcome {
        AttemptOutcome::NotSent => true,
        AttemptOutcome::SentNoResponse | AttemptOutcome::Status(502..=504) => {
            matches!(idempotency, Idempotency::Idempotent)
        }
        AttemptOutcome::Status(_) | AttemptOutcome::BodyBroken => false,
    }
}

/// Wait before try `n` (the first retry is 1), ns: jitter under a doubling
/// cap ("Exponential Backoff and Jitter", AWS Architecture Blog 2015). `None`
/// when too little time would be left for the try.
pub fn backoff(base_ns: u64, jitter: Jitter, n: u32, bits: u64, left_ns: u64) -> Option<u64> {
    let cap = base_ns.saturating_mul(1 << n.saturating_sub(1).min(20)).min(MAX_BACKOFF_NS.max(base_ns));
    let share = |of: u64| u64::try_from((u128::from(of) * u128::from(bits)) >> 64).unwrap_or(of);
    let wait = match jitter {
        Jitter::Full => share(cap),
        Jitter::Equal => cap / 2 + share(cap - cap / 2),
        Jitter::None => cap,
    };
    (wait + MIN_LEFT_NS <= left_ns).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_without_a_key_is_tried_again_only_if_nothing_was_sent() {
        use AttemptOutcome::{BodyBroken, NotSent, SentNoResponse, Status};
        for (outcome, repeatable, once) in [
            (NotSent, true, true),
            (SentNoResponse, true, false),
            (Status(503), true, false),
            (Status(500), false, false),
            (Status(404), false, false),
            (BodyBroken, false, false),
        ] {
            assert_eq!(may_retry(outcome, Idempotency::Idempotent), repeatable, "{outcome:?}");
            assert_eq!(may_retry(outcome, Idempotency::NotIdempotent), once, "{outcome:?}");
        }
    }

    #[test]
    fn waits_double_under_a_cap_and_respect_the_deadline() {
        let second = 1_000_000_000;
        let longest = |n| backoff(10_000_000, Jitter::Full, n, u64::MAX, second).expect("time enough");
        assert_eq!(longest(1), 9_999_999);
        assert_eq!(longest(2), 19_999_999);
        assert_eq!(longest(30), MAX_BACKOFF_NS - 1);
        assert_eq!(backoff(0, Jitter::Full, 3, u64::MAX, second), Some(0));
        assert_eq!(backoff(10_000_000, Jitter::Full, 1, u64::MAX, 15_000_000), None, "5 ms would be left");
        assert_eq!(backoff(10_000_000, Jitter::Equal, 1, 0, second), Some(5_000_000));
        assert_eq!(backoff(10_000_000, Jitter::None, 2, 0, second), Some(20_000_000));
    }
}
