//! Distributions, one draw a sample: a rejection sampler would shift everything after it.

/// Weighted choice in constant time (Walker's alias method, Vose 1991).
#[derive(Clone, Debug)]
pub struct Weighted {
    keep: Vec<f64>,
    alias: Vec<u32>,
}

impl Weighted {
    /// A choice among `weights.len()` indexes.
    ///
    /// # Panics
    /// When there are none, or they sum to nothing.
    pub fn new(weights: &[f64]) -> Self {
        let n = weights.len();
        let total: f64 = weights.iter().sum();
        assert!(n > 0 && total > 0.0, "a choice needs something to choose");
        let mut keep: Vec<f64> = weights.iter().map(|weight| weight * n as f64 / total).collect();
        let mut alias: Vec<u32> = (0..n as u32).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| keep[i] < 1.0);
        while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
            alias[low] = high as u32;
            keep[high] -= 1.0 - keep[low];
            if keep[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        // What is left is 1 but for rounding.
        for i in small.into_iter().chain(large) {
            keep[i] = 1.0;
        }
        Self { keep, alias }
    }

    /// Ranks with weights `1 / rank^s`; `s = 0` is uniform.
    pub fn zipf(n: usize, s: f64) -> Self {
        let weights: Vec<f64> = (1..=n).map(|rank| (rank as f64).powf(-s)).collect();
        Self::new(&weights)
    }

    /// The index for a uniform draw in 0 to 1.
    pub fn index(&self, unit: f64) -> usize {
        let scaled = unit * self.keep.len() as f64;
        let column = (scaled as usize).min(self.keep.len() - 1);
        if scaled - (column as f64) < self.keep[column] { column } else { self.alias[column] as usize }
    }

    /// How many there are to choose from.
    pub fn len(&self) -> usize {
        self.keep.len()
    }

    /// Never: there is always something to choose.
    pub fn is_empty(&self) -> bool {
        self.keep.is_empty()
    }
}

/// A Pareto distribution cut off at both ends.
#[derive(Clone, Copy, Debug)]
pub struct BoundedPareto {
    alpha: f64,
    low: f64,
    high: f64,
}

impl BoundedPareto {
    /// The one with this mean and upper bound; its lower bound is solved for.
    pub fn with_mean(alpha: f64, mean: f64, high: f64) -> Self {
        let (mut low, mut top) = (1e-9, mean.min(high));
        for _ in 0..200 {
            let middle = (low + top) / 2.0;
            let there = Self { alpha, low: middle, high };
            if there.mean() < mean { low = middle } else { top = middle }
        }
        Self { alpha, low, high }
    }

    fn mean(&self) -> f64 {
        let Self { alpha, low, high } = *self;
        let scale = low.powf(alpha) / (1.0 - (low / high).powf(alpha)) * alpha / (alpha - 1.0);
        scale * (low.powf(1.0 - alpha) - high.powf(1.0 - alpha))
    }

    /// The value below which a share `u` lies.
    pub fn quantile(&self, u: f64) -> f64 {
        let Self { alpha, low, high } = *self;
        let (l, h) = (low.powf(alpha), high.powf(alpha));
        (-(u * h - u * l - h) / (h * l)).powf(-1.0 / alpha)
    }

    /// Its smallest value.
    pub const fn low(&self) -> f64 {
        self.low
    }
}

/// A normal variate from one uniform draw: the inverse of the distribution
/// function by Acklam's rational approximation (relative error below 1.2e-9).
#[expect(clippy::excessive_precision, reason = "coefficients as published")]
pub fn normal(u: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02,
        -3.066479806614716e+01, 2.506628277459239e+00,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
        -1.328068155288572e+01,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00, -2.549732539343734e+00,
        4.374664141464968e+00, 2.938163982698783e+00,
    ];
    const D: [f64; 4] =
        [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00];
    const TAIL: f64 = 0.02425;
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let u = u.clamp(1e-12, 1.0 - 1e-12);
    if u < TAIL {
        let q = (-2.0 * u.ln()).sqrt();
        horner(&C, q) / (horner(&D, q) * q + 1.0)
    } else if u > 1.0 - TAIL {
        -normal(1.0 - u)
    } else {
        let q = u - 0.5;
        let r = q * q;
        horner(&A, r) * q / (horner(&B, r) * r + 1.0)
    }
}

/// A lognormal variate from one uniform draw.
pub fn lognormal(u: f64, median: f64, sigma: f64) -> f64 {
    median * (sigma * normal(u)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// Sum of (observed - expected)^2 / expected.
    fn chi_square(counts: &[u64], shares: &[f64]) -> f64 {
        let n: u64 = counts.iter().sum();
        let deviation = |(count, share): (&u64, &f64)| (*count as f64 - share * n as f64).powi(2) / (share * n as f64);
        counts.iter().zip(shares).map(deviation).sum()
    }

    #[test]
    fn zipf_ranks_have_their_shares() {
        let zipf = Weighted::zipf(50, 1.0);
        let harmonic: f64 = (1..=50).map(|rank| 1.0 / f64::from(rank)).sum();
        let shares: Vec<f64> = (1..=50).map(|rank| 1.0 / f64::from(rank) / harmonic).collect();
        let mut rng = Seed(1).stream("test");
        let mut counts = vec![0; 50];
        for _ in 0..200_000 {
            counts[zipf.index(rng.unit())] += 1;
        }
        // 49 degrees of freedom: 99.99 % of samples lie below 94.
        assert!(chi_square(&counts, &shares) < 94.0);
    }

    #[test]
    fn the_lower_bounds_of_the_handbook() {
        for (users, low) in [(100_000.0, 11.18), (10_000.0, 12.47), (2_000.0, 15.00), (500.0, 21.92)] {
            let pareto = BoundedPareto::with_mean(1.35, 40.0, 0.2 * users);
            assert!((pareto.low() - low).abs() < 0.01, "{users}: {}", pareto.low());
        }
    }

    #[test]
    fn normal_quantiles() {
        for (u, z) in [(0.5, 0.0), (0.975, 1.959_964), (0.01, -2.326_348), (0.999, 3.090_232)] {
            assert!((normal(u) - z).abs() < 1e-5, "{u}");
        }
    }
}
