//! Intervals: what a number may have been had the run been repeated.

use record::Latencies;

/// A 95 % interval.
pub type Interval = (f64, f64);

/// Two-sided 95 % quantile of the standard normal distribution.
pub(crate) const Z: f64 = 1.959_964;

/// Student's t, two-sided 95 %, by degrees of freedom from 1; beyond the table it is the normal's.
/// Source: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Wilson's score interval of a proportion (Wilson 1927), which stays inside
/// 0 to 1 and has a width even at 0 of n. `None` without trials.
pub fn proportion(successes: u64, trials: u64) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some((((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)))
}

/// The mean of values drawn independently, with its t interval; `None` for
/// fewer than two, which have no spread.
pub fn mean(values: &[f64]) -> Option<(f64, Interval)> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = T.get(values.len() - 2).copied().unwrap_or(Z);
    let half = t * (variance / n).sqrt();
    Some((mean, (mean - half, mean + half)))
}

/// A quantile's distribution-free interval from order statistics (David &
/// Nagaraja, Order Statistics, 7.1): ranks `nq -/+ z sqrt(nq(1-q))`. `None`
/// where the upper rank lies beyond the sample: there is no such interval.
pub fn quantile(latencies: &Latencies, q: f64) -> Option<Interval> {
    let n = latencies.len() as f64;
    let spread = Z * (n * q * (1.0 - q)).sqrt();
    let (low, high) = ((n * q - spread).floor(), (n * q + spread).ceil());
    if low < 1.0 || high > n {
        return None;
    }
    let at = |rank: f64| latencies.quantile(rank / n).map(|us| us as f64);
    Some((at(low)?, at(high)?))
}

/// The ratio of paired blocks, `b` over `a`: t interval on the log ratios, so
/// that twice and half lie equally far from 1. `None` for fewer than three
/// pairs, or where a block has nothing.
pub fn paired_ratio(a: &[Option<f64>], b: &[Option<f64>]) -> Option<(f64, Interval)> {
    let logs: Vec<f64> = a
        .iter()
        .zip(b)
        .filter_map(|pair| match pair {
            (Some(a), Some(b)) if *a > 0.0 && *b > 0.0 => Some((b / a).ln()),
            _ => None,
        })
        .collect();
    if logs.len() < 3 {
        return None;
    }
    let (mean, (low, high)) = mean(&logs)?;
    Some((mean.exp(), (low.exp(), high.exp())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_knows_the_textbook_case() {
        // 8 of 10: Wilson's interval is 0.490 to 0.943 (Brown, Cai & DasGupta 2001).
        let (low, high) = proportion(8, 10).expect("ten trials");
        assert!((low - 0.490).abs() < 0.001 && (high - 0.943).abs() < 0.001, "{low} {high}");
        let (low, high) = proportion(0, 100).expect("a hundred trials");
        assert!(low == 0.0 && high > 0.03 && high < 0.04);
        assert_eq!(proportion(0, 0), None);
    }

    #[test]
    fn a_t_interval_of_known_values() {
        // Mean 2, sample deviation 1, n = 3: half width 4.303 / sqrt(3) = 2.484.
        let (mean, (low, high)) = mean(&[1.0, 2.0, 3.0]).expect("three values");
        assert!((mean - 2.0).abs() < 1e-12);
        assert!((high - low - 2.0 * 2.484).abs() < 0.01);
    }

    #[test]
    fn a_p99_of_a_hundred_samples_has_no_interval() {
        let latencies: Latencies = (1..=100).collect();
        assert_eq!(quantile(&latencies, 0.99), None);
        let (low, high) = quantile(&latencies, 0.5).expect("the median has one");
        // 50 -/+ 1.96 x 5: ranks 40 and 60.
        assert_eq!((low, high), (40.0, 60.0));
    }

    #[test]
    fn paired_blocks_cancel_what_slows_both_arms() {
        // The machine gets slower by the block, both arms with it: the ratio stays 2.
        let a = [1.0, 2.0, 4.0, 8.0].map(Some);
        let b = [2.0, 4.0, 8.0, 16.0].map(Some);
        let (ratio, (low, high)) = paired_ratio(&a, &b).expect("four pairs");
        assert!((ratio - 2.0).abs() < 1e-9 && (high - low).abs() < 1e-9);
        assert_eq!(paired_ratio(&a[..2], &b[..2]), None);
        assert_eq!(paired_ratio(&[None; 4], &b), None);
    }
}
