//! Seeded random streams, dice without state, and bits that never repeat.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::hash::{mix, seeded};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

static SEED: AtomicU64 = AtomicU64::new(42);
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static BITS: RefCell<RandomStream> = RefCell::new(RandomStream::numbered(
        SEED.load(Ordering::Relaxed),
        THREADS.fetch_add(1, Ordering::Relaxed),
    ));
}

/// A stream of its own for each purpose: adding one never disturbs another.
pub struct RandomStream(Xoshiro256PlusPlus);

impl RandomStream {
    /// The stream called `label` of a seed.
    pub fn new(seed: u64, label: &str) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seeded(seed, label)))
    }

    fn numbered(seed: u64, number: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(draw(seed, "thread", number)))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in 0 to 1, 1 excluded.
    pub fn unit(&mut self) -> f64 {
        unit(self.next_u64())
    }
}

/// 64 bits as a number in 0 to 1, 1 excluded: 53 of them, what a double holds.
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Bits for a policy's dice, from a stream of the thread's own.
pub fn bits() -> u64 {
    BITS.with_borrow_mut(RandomStream::next_u64)
}

/// Bits for what must be unique for ever, such as the id of a write without a key: from the
/// kernel, so that a restart, a copy and another run of the same seed draw others.
///
/// # Errors
/// When the kernel gives no random bytes (getrandom(2)).
pub fn unique() -> Result<u64, getrandom::Error> {
    getrandom::u64()
}

/// Sets the seed of threads that have not drawn yet; called once at start.
pub fn seed_process(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
}

/// A die without state: the same seed, label and key give the same bits, on
/// any thread and in any order.
pub fn draw(seed: u64, label: &str, key: u64) -> u64 {
    mix(seeded(seed, label).wrapping_add(key.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_label() {
        let take = |seed, label| -> Vec<u64> {
            let mut stream = RandomStream::new(seed, label);
            (0..8).map(|_| stream.next_u64()).collect()
        };
        assert_eq!(take(1, "feed"), take(1, "feed"));
        assert_ne!(take(1, "feed"), take(1, "photo"));
        assert_ne!(take(1, "feed"), take(2, "feed"));
    }

    #[test]
    fn unique_bits_do_not_follow_from_the_seed() {
        let drawn = || {
            std::thread::spawn(|| {
                seed_process(7);
                (0..1_000).map(|_| unique().expect("random bytes")).collect::<Vec<_>>()
            })
        };
        let drawn = [drawn(), drawn()].map(|thread| thread.join().expect("no panic")).concat();
        let distinct: std::collections::HashSet<_> = drawn.iter().collect();
        // Two of 2,000 draws of 64 bits are the same once in 10^13 times.
        assert_eq!(distinct.len(), 2_000);
    }

    #[test]
    fn dice_are_even() {
        // 10,000 throws at 30 %: 3,000, give or take four sigma of 46.
        let hits = (0..10_000).filter(|key| unit(draw(42, "fault", *key)) < 0.3).count();
        assert!(hits.abs_diff(3_000) < 184, "{hits}");
    }
}
