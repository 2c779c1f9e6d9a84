//! A rate limit per key: the generic cell rate algorithm, which needs one number a key
//! (ITU-T I.371; "leaky bucket as a meter").

use std::collections::HashMap;
use std::hash::Hash;

/// So many at once, and then one an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many may come at once.
    pub burst: u32,
    /// What each of them costs, ns.
    pub interval_ns: u64,
}

impl Quota {
    /// How long a key that has paid until so has to wait for its next turn, ns; 0 where it has one now.
    pub fn wait_ns(&self, paid_until_ns: u64, now_ns: u64) -> u64 {
        let room = self.interval_ns.saturating_mul(u64::from(self.burst.max(1) - 1));
        paid_until_ns.saturating_sub(now_ns.saturating_add(room))
    }

    /// Until when it has paid with one turn more, ns.
    pub fn pay(&self, paid_until_ns: u64, now_ns: u64) -> u64 {
        paid_until_ns.max(now_ns).saturating_add(self.interval_ns)
    }
}

/// How many keys of one kind are remembered.
const MAX_KEYS: usize = 65_536;

/// The limit, over all keys. Memory is bounded; a key that has paid for everything is forgotten.
#[derive(Debug)]
pub struct RateLimit<K> {
    quota: Quota,
    /// When each key has paid for what it has taken, ns: the theoretical arrival time.
    paid_until_ns: HashMap<K, u64>,
    /// Before this moment it is not worth looking for keys that have paid.
    next_prune_ns: u64,
}

impl<K: Eq + Hash> RateLimit<K> {
    /// A limit under which nothing has been taken.
    pub fn new(quota: Quota) -> Self {
        Self { quota, paid_until_ns: HashMap::new(), next_prune_ns: 0 }
    }

    /// How long a key has to wait for its next turn, ns; 0 where it has one now.
    pub fn wait_ns(&self, key: &K, now_ns: u64) -> u64 {
        self.quota.wait_ns(self.paid_until_ns.get(key).copied().unwrap_or(0), now_ns)
    }

    /// Takes one turn.
    pub fn take(&mut self, key: K, now_ns: u64) {
        if self.paid_until_ns.len() >= MAX_KEYS && !self.paid_until_ns.contains_key(&key) {
            // Looking through all of them is dear: once in the time that one turn costs.
            if now_ns >= self.next_prune_ns {
                self.paid_until_ns.retain(|_, paid_until| *paid_until > now_ns);
                self.next_prune_ns = now_ns.saturating_add(self.quota.interval_ns);
            }
            // As many keys at once are no single client: another limit is about those.
            if self.paid_until_ns.len() >= MAX_KEYS {
                return;
            }
        }
        let paid_until = self.paid_until_ns.entry(key).or_default();
        *paid_until = self.quota.pay(*paid_until, now_ns);
    }

    /// Gives a turn back that was taken for nothing.
    pub fn give_back(&mut self, key: &K) {
        if let Some(paid_until) = self.paid_until_ns.get_mut(key) {
            *paid_until = paid_until.saturating_sub(self.quota.interval_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const QUOTA: Quota = Quota { burst: 3, interval_ns: 10 * SECOND };

    #[test]
    fn a_burst_then_one_an_interval_each_key_by_itself() {
        let mut limit = RateLimit::new(QUOTA);
        let now = 5 * SECOND;
        for _ in 0..3 {
            assert_eq!(limit.wait_ns(&"a", now), 0);
            limit.take("a", now);
        }
        assert_eq!(limit.wait_ns(&"a", now), 10 * SECOND);
        assert_eq!(limit.wait_ns(&"b", now), 0);
        assert_eq!(limit.wait_ns(&"a", now + 9 * SECOND), SECOND);
        // A key that waits as long as that has a turn, and only one.
        let later = now + 10 * SECOND;
        assert_eq!(limit.wait_ns(&"a", later), 0);
        limit.take("a", later);
        assert_eq!(limit.wait_ns(&"a", later), 10 * SECOND);
        limit.give_back(&"a");
        assert_eq!(limit.wait_ns(&"a", later), 0);
        assert_eq!(limit.wait_ns(&"a", later + 60 * SECOND), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut limit = RateLimit::new(QUOTA);
        for key in 0..2 * MAX_KEYS {
            limit.take(key, SECOND);
        }
        assert_eq!(limit.paid_until_ns.len(), MAX_KEYS);
        limit.take(0, 60 * SECOND);
        limit.take(usize::MAX, 60 * SECOND);
        assert!(limit.paid_until_ns.len() < 10, "what has been paid for is forgotten");
    }
}
