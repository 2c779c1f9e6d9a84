//! Intervals of counts: Garwood 1936, exact for independent events, stretched where rounds show that they come in bursts.

use statrs::function::gamma::gamma_ur;

use super::shares::LEVEL;
use super::student;

/// 95 % interval of the mean of a Poisson count that came out as `x`, which need not be whole: half the 2.5 % point of
/// chi-square with `2x` and half the 97.5 % point of that with `2x + 2` degrees of freedom.
pub(super) fn garwood(x: f64) -> (f64, f64) {
    let low = if x > 0.0 { upper_gamma_point(x, 1.0 - LEVEL / 2.0) } else { 0.0 };
    (low, upper_gamma_point(x + 1.0, LEVEL / 2.0))
}

/// 95 % interval of the expected sum of a count over three or more rounds, each as it came out.
pub(super) fn over_rounds(counts: &[f64]) -> (f64, f64) {
    let rounds = counts.len() as f64;
    let sum: f64 = counts.iter().sum();
    let mean = sum / rounds;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (rounds - 1.0);
    let dispersion = if mean > 0.0 { (variance / mean).max(1.0) } else { 1.0 };
    let (low, high) = garwood(sum / dispersion);
    let stretch = student::critical(LEVEL, rounds - 1.0) / student::critical(LEVEL, student::NORMAL);
    let away = |end: f64| sum + (end * dispersion - sum) * stretch;
    (away(low).max(0.0), away(high))
}

/// Where the upper regularised gamma function of `shape` falls to `probability`, by bisection.
fn upper_gamma_point(shape: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, shape + 10.0 * shape.sqrt() + 10.0);
    while high - low > 1e-12 * high {
        let middle = f64::midpoint(low, high);
        if gamma_ur(shape, middle) > probability {
            low = middle
        } else {
            high = middle
        }
        if middle == low && middle == high {
            break;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garwood_knows_the_textbook_cases() {
        for (x, low, high) in [(0.0, 0.0, 3.689), (1.0, 0.0253, 5.572), (10.0, 4.795, 18.390)] {
            let found = garwood(x);
            assert!((found.0 - low).abs() < 1e-3 && (found.1 - high).abs() < 1e-3, "{x}: {found:?}");
        }
    }

    #[test]
    fn bursts_over_rounds_widen() {
        let even = over_rounds(&[20.0, 21.0, 19.0]);
        let bursts = over_rounds(&[60.0, 0.0, 0.0]);
        assert!(even.0 > 0.0 && bursts.0 == 0.0 && bursts.1 > 2.0 * even.1, "{even:?} {bursts:?}");
    }
}
