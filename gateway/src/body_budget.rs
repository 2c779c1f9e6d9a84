//! Bytes of request bodies that are held at once: bounded in all, whatever client sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many bytes, shared by all requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct BodyBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    held: AtomicU64,
    limit: u64,
}

/// What one body holds; free again when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: BodyBudget,
    bytes: u64,
}

impl BodyBudget {
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Shared { held: AtomicU64::new(0), limit }))
    }

    /// Nothing yet.
    pub fn reserve(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Bytes that are held now.
    #[cfg(test)]
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }
}

impl Reservation {
    /// Whether so many more bytes may be held; they are counted if so.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let Shared { held, limit } = &*self.budget.0;
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| sum <= limit);
        let grown = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        self.bytes += if grown { bytes } else { 0 };
        grown
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_and_given_back() {
        let budget = BodyBudget::new(10);
        let (mut one, mut other) = (budget.reserve(), budget.reserve());
        assert!(one.grow(6) && other.grow(4));
        assert!(!other.grow(1), "ten are ten");
        drop(one);
        assert!(other.grow(6) && !other.grow(u64::MAX));
        drop(other);
        assert_eq!(budget.held(), 0);
    }
}
