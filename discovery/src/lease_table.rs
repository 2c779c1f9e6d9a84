//! Leases and their expiry, and self-preservation when too many lapse at once.

use std::collections::{BTreeMap, BTreeSet};

/// Expiry times by holder. The caller supplies the time, in nanoseconds.
#[derive(Clone, Debug)]
pub struct LeaseTable<K> {
    ends: BTreeMap<K, u64>,
    in_order: BTreeSet<(u64, K)>,
}

impl<K> Default for LeaseTable<K> {
    fn default() -> Self {
        Self { ends: BTreeMap::new(), in_order: BTreeSet::new() }
    }
}

impl<K: Clone + Ord> LeaseTable<K> {
    /// Grants or renews a lease until `end_ns`.
    pub fn grant(&mut self, holder: &K, end_ns: u64) {
        self.end(holder);
        self.ends.insert(holder.clone(), end_ns);
        self.in_order.insert((end_ns, holder.clone()));
    }

    /// Ends a lease.
    pub fn end(&mut self, holder: &K) {
        if let Some((holder, end)) = self.ends.remove_entry(holder) {
            self.in_order.remove(&(end, holder));
        }
    }

    /// Removes and returns the leases that ended at or before `now_ns`, earliest first.
    pub fn lapsed(&mut self, now_ns: u64) -> Vec<K> {
        let mut lapsed = Vec::new();
        while self.in_order.first().is_some_and(|(end, _)| *end <= now_ns) {
            let (_, holder) = self.in_order.pop_first().expect("just seen");
            self.ends.remove(&holder);
            lapsed.push(holder);
        }
        lapsed
    }

    /// Extends all leases to at least `end_ns`: after a pause of the registry, missing renewals are
    /// not the holders' fault.
    pub fn extend_all(&mut self, end_ns: u64) {
        let holders: Vec<K> = self.ends.keys().cloned().collect();
        for holder in holders {
            if self.ends[&holder] < end_ns {
                self.grant(&holder, end_ns);
            }
        }
    }

    /// Number of leases.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Limits above which simultaneous lapses are blamed on the registry's own network (self-preservation as
/// in Eureka, with a lower bound).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfPreservation {
    /// Fewer lapses than this are always deaths. Without this bound, the death of a single replica,
    /// 100 % of its service, would be ignored.
    pub min_lapses: usize,
    /// Limit as a share of one service.
    pub service_share: f64,
    /// Limit as a share of all.
    pub total_share: f64,
}

impl Default for SelfPreservation {
    fn default() -> Self {
        Self { min_lapses: 3, service_share: 0.5, total_share: 0.15 }
    }
}

/// Live and lapsed processes, of one service or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LivenessCounts {
    /// Lapsed within the last lease period.
    pub lapsed: usize,
    /// With a valid lease.
    pub live: usize,
}

impl LivenessCounts {
    fn share(self) -> f64 {
        match self.lapsed + self.live {
            0 => 0.0,
            all => self.lapsed as f64 / all as f64,
        }
    }
}

impl SelfPreservation {
    /// Whether the lapses of the last lease period exceed the limits.
    pub fn is_triggered(
        &self,
        all: LivenessCounts,
        services: impl IntoIterator<Item = LivenessCounts>,
    ) -> bool {
        all.lapsed >= self.min_lapses
            && (all.share() > self.total_share
                || services.into_iter().any(|service| service.share() > self.service_share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lapses_once_and_not_if_renewed() {
        let mut leases = LeaseTable::default();
        leases.grant(&"a", 10);
        leases.grant(&"b", 10);
        leases.grant(&"a", 20);
        assert_eq!(leases.lapsed(10), ["b"]);
        assert_eq!(leases.lapsed(19), [""; 0]);
        assert_eq!(leases.lapsed(20), ["a"]);
        assert!(leases.is_empty());
    }

    #[test]
    fn extending_all_never_shortens() {
        let mut leases = LeaseTable::default();
        leases.grant(&"short", 10);
        leases.grant(&"long", 90);
        leases.extend_all(50);
        assert_eq!(leases.lapsed(49), [""; 0]);
        assert_eq!(leases.lapsed(50), ["short"]);
        assert_eq!(leases.lapsed(90), ["long"]);
    }

    #[test]
    fn doubt_needs_three_lapses_and_a_share() {
        let rule = SelfPreservation::default();
        let counts = |lapsed, live| LivenessCounts { lapsed, live };
        // The only replica of its service, and both of two: deaths.
        assert!(!rule.is_triggered(counts(1, 9), [counts(1, 0)]));
        assert!(!rule.is_triggered(counts(2, 8), [counts(2, 0)]));
        // 3 of 20 are exactly 15 %, of which none is half of its service: deaths.
        assert!(!rule.is_triggered(counts(3, 17), [counts(3, 17)]));
        // 3 of 19 are 15.8 %.
        assert!(rule.is_triggered(counts(3, 16), [counts(3, 16)]));
        // 3 of 100 in all, but 3 of 5 of one service.
        assert!(rule.is_triggered(counts(3, 97), [counts(3, 2), counts(0, 95)]));
    }
}
