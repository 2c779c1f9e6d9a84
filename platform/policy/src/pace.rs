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
        let none = MinimumRate { bytes_per_s: 0, ..rate };
        assert_eq!(none.allowance_ns(1), 3 * SECOND, "a rate of nothing is one byte a second");
    }
}
