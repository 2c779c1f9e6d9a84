//! Writes that have no answer and may still come about. While they may, what is read of what they reach is not kept: it could be
//! from before them, and nothing would make it go.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use transport::headers::MAX_DEADLINE;

use super::target::CacheKey;
use super::writes::WriteReach;

/// How long after its end a write may come about, ns: what a component is asked for, it has done or given up after the longest
/// deadline there is.
const UNSETTLED_NS: u64 = MAX_DEADLINE.as_nanos() as u64;
/// Writes that are remembered, of different targets; beyond them the one goes that has ended first. Each is looked at by reads
/// that are sent: a client that gives up many does not make these slow.
const MAX_WRITES: usize = 1_024;

/// Those of the last while, by their end.
pub struct UnsettledWrites(Mutex<VecDeque<UnsettledWrite>>);

struct UnsettledWrite {
    until_ns: u64,
    reach: WriteReach,
}

impl UnsettledWrites {
    /// None yet.
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    fn writes(&self) -> MutexGuard<'_, VecDeque<UnsettledWrite>> {
        self.0.lock().expect("no panic while held")
    }

    /// One has ended without an answer.
    pub fn add(&self, reach: WriteReach, now_ns: u64) {
        let mut writes = self.writes();
        writes.retain(|known| known.reach != reach);
        if writes.len() >= MAX_WRITES {
            writes.pop_front();
        }
        writes.push_back(UnsettledWrite { until_ns: now_ns.saturating_add(UNSETTLED_NS), reach });
    }

    /// Whether what is asked for now may be out of date as soon as it has come.
    pub fn reach(&self, key: &CacheKey, now_ns: u64) -> bool {
        let mut writes = self.writes();
        while writes.front().is_some_and(|first| first.until_ns <= now_ns) {
            writes.pop_front();
        }
        writes.iter().any(|write| write.reach.reaches(key))
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn key(target: &str) -> CacheKey {
        CacheKey { target: target.into(), host: "cleave".into() }
    }

    fn deletion(path: &str) -> WriteReach {
        WriteReach::of(&Method::DELETE, path)
    }

    #[test]
    fn a_write_may_come_about_for_as_long_as_a_component_may_work() {
        let writes = UnsettledWrites::new();
        writes.add(deletion("/1"), 7);
        assert!(writes.reach(&key("/1/small?a=b"), 7) && !writes.reach(&key("/2"), 7));
        assert!(
            writes.reach(&key("/1"), 7 + UNSETTLED_NS - 1) && !writes.reach(&key("/1"), 7 + UNSETTLED_NS)
        );
        assert!(writes.writes().is_empty());
    }

    #[test]
    fn they_are_bounded_and_those_of_one_target_are_one() {
        let writes = UnsettledWrites::new();
        writes.add(deletion("/first"), 0);
        for number in 0..MAX_WRITES - 1 {
            writes.add(deletion(&format!("/{number}")), 1);
            writes.add(deletion("/0"), 1);
        }
        assert!(writes.reach(&key("/first"), 2), "there is room for all of them");
        writes.add(deletion("/last"), 2);
        assert!(!writes.reach(&key("/first"), 2) && writes.reach(&key("/last"), 2));
        assert_eq!(writes.writes().len(), MAX_WRITES);
    }
}
