//! How slowly bytes may come and go: a peer that holds on to what others need keeps a minimum rate.

use serde::{Deserialize, Serialize};

use crate::units::HumanDuration;

/// The slowest that a peer may be: `bytes_per_s` on average, counted from `grace` on
/// (Apache's `RequestReadTimeout`, which is `body=20,MinRate=500`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinimumRate {
    /// Time before which nothing is expected.
    pub grace: HumanDuration,
    /// Bytes a second.
    pub bytes_per_s: u64,
}

impl Default for MinimumRate {
    fn default() -> Self {
        // A modem of 1998 keeps 4 KiB/s; a client that sends nothing is found out in seconds.
        Self { grace: HumanDuration::from_millis(3_000), bytes_per_s: 4 * 1024 }
    }
}

impl MinimumRate {
    /// How long so many bytes may take, ns: more with every byte that has passed.
    pub fn allowance_ns(&self, bytes: u64) -> u64 {
        let paid = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_s.max(1));
        self.grace.nanos().saturating_add(u64::try_from(paid).unwrap_or(u64::MAX))
    }

    /// Until when more has to come, ns, where it had until `until_ns` and so many bytes have come at `now_ns`. Bytes pay for
    /// `grace` at most: what has sent much at once, and then stops, is found out as soon as what sends nothing.
    pub fn extended_ns(&self, until_ns: u64, bytes: u64, now_ns: u64) -> u64 {
        let grace_ns = self.grace.nanos();
        let paid_ns = self.allowance_ns(bytes) - grace_ns;
        until_ns.saturating_add(paid_ns).min(now_ns.saturating_add(grace_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn time_is_paid_for_with_bytes() {
        let rate = MinimumRate { grace: HumanDuration::from_millis(2_000), bytes_per_s: 1_000 };
        assert_eq!(rate.allowance_ns(0), 2 * SECOND);
        assert_eq!(rate.allowance_ns(500), 2 * SECOND + SECOND / 2);
        assert_eq!(rate.allowance_ns(u64::MAX), u64::MAX);
        assert_eq!(rate.extended_ns(2 * SECOND, 500, SECOND), 2 * SECOND + SECOND / 2);
        assert_eq!(
            rate.extended_ns(2 * SECOND, 1 << 30, SECOND),
            3 * SECOND,
            "two seconds from now, for all of it"
        );
        assert_eq!(rate.extended_ns(2 * SECOND, 0, SECOND), 2 * SECOND);
        let none = MinimumRate { bytes_per_s: 0, ..rate };
        assert_eq!(none.allowance_ns(1), 3 * SECOND, "a rate of nothing is one byte a second");
    }
}
