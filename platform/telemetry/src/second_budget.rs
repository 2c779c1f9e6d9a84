//! So many in one second, and as many again in the next.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many there have been in the present second.
#[derive(Debug)]
pub struct SecondBudget {
    most: u32,
    /// The number of the second in the upper half, the count in the lower.
    packed: AtomicU64,
}

impl SecondBudget {
    /// At most so many in one second, at least one.
    pub const fn new(most: u32) -> Self {
        Self { most, packed: AtomicU64::new(0) }
    }

    /// Whether there may be one more at `now_ns`, a moment of [`runtime::clock::now_ns`]; it is counted if so.
    pub fn admits(&self, now_ns: u64) -> bool {
        let second = now_ns / 1_000_000_000;
        let admitted = |packed: u64| {
            let (present, count) = (packed >> 32, packed & u64::from(u32::MAX));
            if present != second {
                Some(second << 32 | 1)
            } else {
                (count < u64::from(self.most)).then_some(packed + 1)
            }
        };
        self.packed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, admitted).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_and_the_next_as_many_again() {
        let budget = SecondBudget::new(50);
        let admitted = |second: u64| {
            let moments = (0..1_000).map(|ms| second * 1_000_000_000 + ms * 1_000_000);
            moments.filter(|now_ns| budget.admits(*now_ns)).count()
        };
        assert_eq!((admitted(7), admitted(8)), (50, 50));
    }
}
