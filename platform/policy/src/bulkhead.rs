//! The bulkhead: one slow callee must not take all places of its caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Calls under way at most, without waiting.
#[derive(Debug)]
pub struct Bulkhead {
    limit: AtomicU32,
    taken: AtomicU32,
}

impl Bulkhead {
    /// A bulkhead of so many places, at least one.
    pub fn new(limit: u32) -> Self {
        Self { limit: AtomicU32::new(limit.max(1)), taken: AtomicU32::new(0) }
    }

    /// Its places.
    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Acquire)
    }

    /// Gives it so many places from now on, at least one. Those that are taken stay taken.
    pub fn set_limit(&self, limit: u32) {
        self.limit.store(limit.max(1), Ordering::Release);
    }

    /// A place, or none.
    pub fn try_acquire(self: &Arc<Self>) -> Option<BulkheadPermit> {
        let limit = self.limit();
        let take = |taken: u32| (taken < limit).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(BulkheadPermit(self.clone()))
    }

    /// Places taken.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }
}

/// A place; free again when dropped.
#[derive(Debug)]
pub struct BulkheadPermit(Arc<Bulkhead>);

impl Drop for BulkheadPermit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let bulkhead = Arc::new(Bulkhead::new(2));
        let (one, two) = (bulkhead.try_acquire(), bulkhead.try_acquire());
        assert!(one.is_some() && two.is_some() && bulkhead.try_acquire().is_none());
        drop(one);
        assert!(bulkhead.try_acquire().is_some());
        drop(two);
        assert_eq!(bulkhead.taken(), 0);
    }

    #[test]
    fn fewer_places_leave_calls_under_way_alone() {
        let bulkhead = Arc::new(Bulkhead::new(2));
        let (one, two) = (bulkhead.try_acquire(), bulkhead.try_acquire());
        bulkhead.set_limit(0);
        assert_eq!((bulkhead.limit(), bulkhead.taken()), (1, 2), "one place at least");
        drop(one);
        assert!(bulkhead.try_acquire().is_none(), "the other call has it");
        drop(two);
        assert!(bulkhead.try_acquire().is_some());
    }
}
