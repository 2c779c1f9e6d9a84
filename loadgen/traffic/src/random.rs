//! Labelled streams of one seed: adding a label never disturbs another stream.

use contract::hash::{mix, seeded};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};

/// The one seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of what is drawn anew in a round: arrivals, users, payloads. The first round's is the run's own.
    pub fn of_round(self, round: u32) -> Self {
        if round <= 1 { self } else { Self(self.draw("round", u64::from(round))) }
    }

    /// The stream of a purpose.
    pub fn stream(self, label: &str) -> Rng {
        Rng(Xoshiro256PlusPlus::seed_from_u64(seeded(self.0, label)))
    }

    /// A draw without a stream: the same for the same number, in any order.
    pub fn draw(self, label: &str, number: u64) -> u64 {
        let spread = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mix(seeded(self.0, label).wrapping_add(spread))
    }

    /// Such a draw, uniform in 0 to 1, 1 excluded.
    pub fn unit(self, label: &str, number: u64) -> f64 {
        unit(self.draw(label, number))
    }
}

/// A stream: xoshiro256++ (Blackman & Vigna), pinned, since golden data hangs on it.
#[derive(Clone, Debug)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in 0 to 1, 1 excluded.
    pub fn unit(&mut self) -> f64 {
        unit(self.next_u64())
    }

    /// Uniform in 0 to `n`, `n` excluded (Lemire's multiplication; the bias at
    /// our sizes is below one in 2^40).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Exponential with mean 1.
    pub fn exp(&mut self) -> f64 {
        // 1 - u is never 0.
        -(1.0 - self.unit()).ln()
    }

    /// Puts a list in random order (Fisher & Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            let j = self.below(i + 1);
            list.swap(i, j);
        }
    }
}

/// 53 of the bits, what a double holds.
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_are_apart() {
        let take = |seed: u64, label: &str| -> Vec<u64> {
            let mut stream = Seed(seed).stream(label);
            (0..4).map(|_| stream.next_u64()).collect()
        };
        assert_eq!(take(42, "graph.in"), take(42, "graph.in"));
        assert_ne!(take(42, "graph.in"), take(42, "graph.out"));
        assert_ne!(take(42, "graph.in"), take(43, "graph.in"));
    }

    #[test]
    fn draws_by_number_depend_on_nothing_else() {
        let seed = Seed(42);
        let forwards: Vec<u64> = (0..100).map(|n| seed.draw("user", n)).collect();
        let backwards: Vec<u64> = (0..100).rev().map(|n| seed.draw("user", n)).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        let distinct: std::collections::HashSet<&u64> = forwards.iter().collect();
        assert_eq!(distinct.len(), 100);
        assert_ne!(seed.draw("user", 0), seed.draw("journey", 0));
    }

    #[test]
    fn each_round_has_a_seed_of_its_own_and_the_first_the_runs() {
        let seed = Seed(42);
        assert_eq!(seed.of_round(1), seed);
        let rounds: std::collections::HashSet<u64> = (1..=100).map(|round| seed.of_round(round).0).collect();
        assert_eq!(rounds.len(), 100);
        assert_ne!(seed.of_round(2), Seed(43).of_round(2));
    }

    #[test]
    fn each_sample_takes_one_draw() {
        let (mut used, mut counted) = (Seed(1).stream("a"), Seed(1).stream("a"));
        used.unit();
        used.exp();
        used.below(3);
        (0..3).for_each(|_| _ = counted.next_u64());
        assert_eq!(used.next_u64(), counted.next_u64());
    }
}
