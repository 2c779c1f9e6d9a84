//! Student's t at any real number of degrees of freedom, the normal distribution as its limit, and the noncentral t.
//!
//! Source of the identities: NIST Digital Library of Mathematical Functions, section 8.17; Johnson, Kotz &
//! Balakrishnan, Continuous Univariate Distributions 2, chapters 28 and 31.

use statrs::function::beta::beta_reg;
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::{gamma_lr, ln_gamma};

/// Degrees of freedom of the normal distribution.
pub(super) const NORMAL: f64 = f64::INFINITY;

/// Beyond so many degrees of freedom t is the normal's to nine digits.
const NORMAL_FROM: f64 = 1e8;

/// Steps of Simpson's rule over the normal density, from -8 to 8 standard deviations at most.
const STEPS: usize = 96;

/// Probability of a value above `t`.
pub(super) fn tail(t: f64, nu: f64) -> f64 {
    if t.is_nan() {
        return 1.0;
    }
    if t < 0.0 {
        return 1.0 - tail(-t, nu);
    }
    if nu > NORMAL_FROM {
        return 0.5 * erfc(t / std::f64::consts::SQRT_2);
    }
    // Beyond it the share below is smaller than any number.
    let x = nu / (nu + t * t);
    if x > 0.0 { 0.5 * beta_reg(nu / 2.0, 0.5, x) } else { 0.0 }
}

/// The value that is exceeded on either side with probability `level` together: 1.96 at 0.05 for the normal.
pub(super) fn critical(level: f64, nu: f64) -> f64 {
    let wanted = (level / 2.0).min(0.5);
    if wanted >= 0.5 {
        return 0.0;
    }
    let normal = std::f64::consts::SQRT_2 * erfc_inv(2.0 * wanted);
    if nu > NORMAL_FROM {
        return normal;
    }
    // Newton on the logarithms of value and probability, which are nearly linear in each other far out, within a
    // bracket that starts at the normal's value: t has the heavier tail.
    let (mut low, mut high) = (normal * 0.999, f64::INFINITY);
    let mut t = normal.max(1e-6);
    for _ in 0..200 {
        let beyond = tail(t, nu);
        if beyond > wanted {
            low = t;
        } else {
            high = t;
        }
        let slope = density(t, nu) * t / beyond;
        let step = (beyond / wanted).ln() / slope;
        let mut next = t * step.clamp(-20.0, 20.0).exp();
        if !(next > low && next < high) {
            next = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * t };
        }
        if (next - t).abs() <= 1e-13 * t {
            return next;
        }
        t = next;
    }
    t
}

fn density(t: f64, nu: f64) -> f64 {
    let constant = ln_gamma((nu + 1.0) / 2.0) - ln_gamma(nu / 2.0) - 0.5 * (nu * std::f64::consts::PI).ln();
    (constant - (nu + 1.0) / 2.0 * (t * t / nu).ln_1p()).exp()
}

/// Probability of a noncentral t above `t > 0`: the normal density times the probability that the root of a mean
/// square stays below `(z + delta) / t`.
pub(super) fn noncentral_tail(t: f64, nu: f64, delta: f64) -> f64 {
    if nu > NORMAL_FROM {
        return 0.5 * erfc((t - delta) / std::f64::consts::SQRT_2);
    }
    let (from, to) = ((-delta).max(-8.0), 8.0);
    let step = (to - from) / STEPS as f64;
    let at = |index: usize| {
        let z = from + step * index as f64;
        let root = (z + delta).max(0.0) / t;
        let below = if root > 0.0 { gamma_lr(nu / 2.0, nu * root * root / 2.0) } else { 0.0 };
        let weight = match index {
            0 | STEPS => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * below * (-0.5 * z * z).exp()
    };
    let sum: f64 = (0..=STEPS).map(at).sum();
    sum * step / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
}

/// The median of chi-square, from Wilson and Hilferty's approximation by Newton's method.
pub(super) fn chi_square_median(nu: f64) -> f64 {
    let mut x = nu * (1.0 - 2.0 / (9.0 * nu)).powi(3);
    for _ in 0..50 {
        let density = ((nu / 2.0 - 1.0) * (x / 2.0).ln() - x / 2.0 - ln_gamma(nu / 2.0)).exp() / 2.0;
        let step = (gamma_lr(nu / 2.0, x / 2.0) - 0.5) / density;
        x -= step;
        if step.abs() <= 1e-12 * x {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_at_real_degrees_of_freedom() {
        for (level, nu, expected, digits) in [
            (0.05, 4.5, 2.6589, 5e-5),
            (0.0025, 4.0, 6.758, 5e-4),
            (0.05, 1.0, 12.7062, 5e-5),
            (0.05, 10.0, 2.2281, 5e-5),
            (0.05, NORMAL, 1.959_964, 5e-7),
        ] {
            let found = critical(level, nu);
            assert!((found - expected).abs() < digits, "{level} {nu}: {found}");
        }
    }

    #[test]
    fn a_critical_value_is_exceeded_as_often_as_asked() {
        for nu in [1.0, 1.7, 4.5, 21.05, 400.0] {
            for level in [0.9, 0.5, 0.05, 1e-3, 1e-9] {
                let twice = 2.0 * tail(critical(level, nu), nu);
                assert!((twice / level - 1.0).abs() < 1e-9, "{nu} {level}: {twice}");
            }
        }
    }

    #[test]
    fn a_noncentral_t_without_shift_is_the_plain_one() {
        for nu in [1.0, 2.0, 4.96, 39.0] {
            let t = critical(0.05, nu);
            assert!((noncentral_tail(t, nu, 0.0) - 0.025).abs() < 2e-4, "{nu}");
        }
        // The other way round, the normal's tail integrated over the density of chi: 0.689883.
        assert!((noncentral_tail(2.5, 9.0, 3.0) - 0.689_883).abs() < 1e-6);
    }

    #[test]
    fn the_median_of_chi_square() {
        // Two degrees of freedom: an exponential of mean 2.
        assert!((chi_square_median(2.0) - 2.0 * 2.0_f64.ln()).abs() < 1e-10);
        assert!((chi_square_median(1.0) - 0.454_936).abs() < 1e-6);
    }
}
