//! Distributions, one draw a sample: a rejection sampler would shift everything after it.

/// Weighted choice in constant time (Walker's alias method, Vose 1991).
#[derive(Clone, Debug)]
pub struct WeightedChoice {
    keep: Vec<f64>,
    alias: Vec<u32>,
}

impl WeightedChoice {
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
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.383577518672690e+02,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
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
    use crate::random::Seed;

    #[test]
    fn nothing_without_weight_is_chosen() {
        let choice = WeightedChoice::new(&[0.0, 3.0, 0.0, 1.0]);
        let chosen: Vec<usize> = (0..1_000).map(|i| choice.index(f64::from(i) / 1_000.0)).collect();
        assert!(chosen.iter().all(|i| [1, 3].contains(i)));
        // Evenly spaced draws choose in proportion: 3 to 1.
        assert_eq!(chosen.iter().filter(|i| **i == 1).count(), 750);
        assert_eq!(choice.len(), 4);
    }

    #[test]
    fn the_lower_bounds_of_the_handbook() {
        for (users, low) in [(100_000.0, 11.18), (10_000.0, 12.47), (2_000.0, 15.00), (500.0, 21.92)] {
            let pareto = BoundedPareto::with_mean(1.35, 40.0, 0.2 * users);
            assert!((pareto.low() - low).abs() < 0.01, "{users}: {}", pareto.low());
        }
    }

    #[test]
    fn a_pareto_keeps_to_its_bounds_and_its_mean() {
        let pareto = BoundedPareto::with_mean(1.35, 40.0, 2_000.0);
        assert!((pareto.quantile(0.0) - pareto.low()).abs() < 1e-6);
        assert!((pareto.quantile(1.0) - 2_000.0).abs() < 1e-6);
        // A million strata: the mean of their middles is the distribution's, but for the last one.
        let mean = (0..1_000_000).map(|i| pareto.quantile((f64::from(i) + 0.5) / 1e6)).sum::<f64>() / 1e6;
        assert!((mean - 40.0).abs() < 0.01, "{mean}");
    }

    #[test]
    fn normal_quantiles() {
        for (u, z) in [(0.5, 0.0), (0.975, 1.959_964), (0.01, -2.326_348), (0.999, 3.090_232)] {
            assert!((normal(u) - z).abs() < 1e-5, "{u}");
        }
    }

    #[test]
    fn exponential_and_lognormal_variates_have_their_moments() {
        const N: u32 = 200_000;
        let mut rng = Seed(1).stream("test");
        let (mut sum, mut squares, mut logs, mut above) = (0.0, 0.0, 0.0, 0_u32);
        for _ in 0..N {
            let gap = rng.exp();
            assert!(gap >= 0.0 && gap.is_finite());
            (sum, squares) = (sum + gap, squares + gap * gap);
            let size = lognormal(rng.unit(), 80.0, 1.0);
            logs += (size / 80.0).ln().powi(2);
            above += u32::from(size > 80.0);
        }
        let n = f64::from(N);
        let (mean, variance) = (sum / n, squares / n - (sum / n).powi(2));
        // Four sigma: of a mean of variance 1, sqrt(1/n); of a variance of an exponential, sqrt(8/n).
        assert!((mean - 1.0).abs() < 4.0 * (1.0 / n).sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 4.0 * (8.0 / n).sqrt(), "{variance}");
        // The median is 80, and the squared logarithm chi-square of one degree: mean 1, variance 2.
        assert!((f64::from(above) / n - 0.5).abs() < 4.0 * (0.25 / n).sqrt(), "{above}");
        assert!((logs / n - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{logs}");
    }
}
