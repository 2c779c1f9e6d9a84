//! How long something takes: distributions of which one sample takes one draw.
//!
//! One draw a sample, so that a request's demand follows from its key alone (see [`crate::engine::Draws`]).

mod histogram;

use contract::hash::mix;
use policy::service::SimulatedWork;
use traffic::distributions::normal;

pub use histogram::Histogram;

use crate::engine::random::{exp, unit};

/// Nanoseconds, drawn.
#[derive(Clone, Debug)]
pub enum Distribution {
    /// Always the same.
    Constant(u64),
    /// Even between the two, the second excluded.
    Uniform(u64, u64),
    /// Exponential with this mean.
    Exponential(f64),
    /// Lognormal: location and scale of the logarithm; see [`Distribution::lognormal`].
    Lognormal(f64, f64),
    /// What a scenario declares, by the code that a live run draws it with.
    Declared(SimulatedWork),
    /// What was measured.
    Measured(Histogram),
}

impl Distribution {
    /// Takes no time.
    pub const ZERO: Self = Self::Constant(0);

    /// The lognormal of a mean, ns, and a coefficient of variation.
    pub fn lognormal(mean_ns: f64, cv: f64) -> Self {
        let variance = libm::log(1.0 + cv * cv);
        Self::Lognormal(libm::log(mean_ns) - variance / 2.0, variance.sqrt())
    }

    /// The sample of 64 random bits, ns.
    pub fn sample(&self, bits: u64) -> u64 {
        match self {
            Self::Constant(ns) => *ns,
            Self::Uniform(low, high) => {
                low + ((u128::from(bits) * u128::from(high.saturating_sub(*low))) >> 64) as u64
            }
            Self::Exponential(mean_ns) => (mean_ns * exp(bits)).round() as u64,
            Self::Lognormal(location, scale) => {
                libm::exp(location + scale * normal(unit(bits))).round() as u64
            }
            // Whether it is done at all hangs on other bits than how long it takes.
            Self::Declared(work) if work.share.is_some_and(|share| unit(mix(bits)) >= share.get()) => 0,
            Self::Declared(work) => work.sample_ns(unit(bits)),
            Self::Measured(histogram) => histogram.sample(bits),
        }
    }

    /// Whether every sample is 0.
    pub const fn is_zero(&self) -> bool {
        matches!(self, Self::Constant(0))
    }
}

#[cfg(test)]
mod tests {
    use policy::service::Distribution as Shape;
    use policy::units::{HumanDuration, Ratio};

    use super::*;
    use crate::engine::Rng;

    fn moments(distribution: &Distribution) -> (f64, f64) {
        const SAMPLES: u32 = 400_000;
        let mut rng = Rng::new(1, "moments");
        let samples = (0..SAMPLES).map(|_| distribution.sample(rng.bits()) as f64);
        let (sum, squares) = samples.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        let mean = sum / f64::from(SAMPLES);
        (mean, (squares / f64::from(SAMPLES) - mean * mean).sqrt() / mean)
    }

    #[test]
    fn means_and_variations_are_as_asked() {
        let declared = |share| SimulatedWork {
            dist: Shape::Exp,
            mean: HumanDuration::from_millis(1),
            cpu: true,
            offload: false,
            share,
        };
        // A mean of 400,000 samples with cv 2 has a standard error of 0.3 %; their variation is far less certain.
        for (distribution, mean, cv) in [
            (Distribution::Constant(1_000_000), 1e6, 0.0),
            (Distribution::Uniform(0, 2_000_000), 1e6, 1.0 / 3.0_f64.sqrt()),
            (Distribution::Exponential(1e6), 1e6, 1.0),
            (Distribution::lognormal(1e6, 0.5), 1e6, 0.5),
            (Distribution::lognormal(1e6, 2.0), 1e6, 2.0),
            (Distribution::Declared(declared(None)), 1e6, 1.0),
            // A quarter of the calls: E[X] = 1/4, E[X^2] = 2/4, so cv^2 = 8 - 1.
            (Distribution::Declared(declared(Some(Ratio::new(0.25)))), 0.25e6, 7.0_f64.sqrt()),
        ] {
            let (seen_mean, seen_cv) = moments(&distribution);
            assert!((seen_mean / mean - 1.0).abs() < 0.01, "{distribution:?}: mean {seen_mean}");
            assert!((seen_cv - cv).abs() < 0.1 * cv.max(0.01), "{distribution:?}: cv {seen_cv}");
        }
    }
}
