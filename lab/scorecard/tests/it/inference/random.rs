//! Draws that the generators are made of.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

/// A stream of draws.
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// 0 to 1, both left out.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// Mean 0, variance 1 (Box & Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let angle = 2.0 * std::f64::consts::PI * self.uniform();
        (2.0 * self.exponential()).sqrt() * angle.cos()
    }

    /// Mean 1.
    pub(super) fn lognormal(&mut self, cv: f64) -> f64 {
        let variance = (cv * cv).ln_1p();
        (variance.sqrt() * self.normal() - variance / 2.0).exp()
    }

    /// Mean 1 (Marsaglia & Tsang 2000); a cv of at most 1.
    pub(super) fn gamma(&mut self, cv: f64) -> f64 {
        let shape = 1.0 / (cv * cv);
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v / shape;
            }
        }
    }

    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        let mut left = mean;
        for count in 0.. {
            left -= self.exponential();
            if left < 0.0 {
                return count;
            }
        }
        0
    }

    pub(super) fn binomial(&mut self, n: u64, p: f64) -> u64 {
        (0..n).filter(|_| self.uniform() < p).count() as u64
    }
}
