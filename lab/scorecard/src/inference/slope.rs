//! What a figure grows by with something that sets arms apart, such as their round trip: least squares through the arms'
//! values, with the resamples that they share.

use record::{Interval, Measured};

use super::estimate::estimate;
use super::figure::Figure;
use super::shares::LEVEL;

/// The slope through the figures of arms over what each of them has, in the row's unit by one of `x`. Its interval is that of
/// a difference (kind 5), since it is a sum of the values, each with a weight; it has none where `are_paired` is false, or a
/// figure has none. `None` where a value is not known or did not end, or all arms have the same `x`.
pub(crate) fn slope(arms: &[(f64, Figure)], are_paired: bool) -> Option<Measured> {
    let n = arms.len() as f64;
    let mean = arms.iter().map(|(x, _)| x).sum::<f64>() / n;
    let variance: f64 = arms.iter().map(|(x, _)| (x - mean).powi(2)).sum();
    if variance <= 0.0 {
        return None;
    }
    let measured: Vec<Measured> = arms.iter().map(|(_, figure)| estimate(figure)).collect();
    let values: Vec<f64> =
        measured.iter().map(|of| of.value.filter(|_| !of.is_censored)).collect::<Option<_>>()?;
    let weights: Vec<f64> = arms.iter().map(|(x, _)| (x - mean) / variance).collect();
    let weighted = |values: &[f64]| values.iter().zip(&weights).map(|(y, weight)| y * weight).sum::<f64>();
    let value = weighted(&values);
    let interval = half_width(arms, weighted).filter(|_| are_paired);
    let samples = measured.iter().map(|of| of.n).min().unwrap_or(0);
    Some(Measured {
        value: Some(value),
        interval: interval.map(|half| Interval::new(value - half, value + half)),
        n: samples,
        ..Measured::default()
    })
}

/// Half the width of its interval; `None` where arms share no resamples, or not all waits of one ended.
fn half_width(arms: &[(f64, Figure)], weighted: impl Fn(&[f64]) -> f64) -> Option<f64> {
    let (_, first) = arms.first()?;
    let is_known = |figure: &Figure| {
        figure.has_intervals()
            && figure.resampling.frame() == first.resampling.frame()
            && figure.replicates().iter().all(|x| !x.is_infinite())
    };
    if !arms.iter().all(|(_, figure)| is_known(figure)) {
        return None;
    }
    let of_resample = |index: usize| -> f64 {
        let scaled = |figure: &Figure| figure.replicates()[index] * figure.statistic.scale;
        weighted(&arms.iter().map(|(_, figure)| scaled(figure)).collect::<Vec<f64>>())
    };
    let slopes: Vec<f64> = (0..first.replicates().len()).map(of_resample).collect();
    Some(first.freedom().stretch(LEVEL) * first.resampling.deviation(slopes.into_iter()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::resampling::Resampling;
    use super::super::statistic::{Arrivals, Frame, Statistic};
    use super::*;

    /// A median over twenty seconds that all are slow or quick together, and later by `later_us`.
    fn median(later_us: u64, failed: u64) -> Figure {
        let frame = Frame { seed: 1, window: "steady".into(), rounds: 1, seconds: 20 };
        let second = |second: u64| {
            let base = 5_000 + second * 1_237 % 2_000 + later_us;
            Some(Arrivals { waits: (0..40).map(|i| base + i * 13 % 400).collect(), censored: failed })
        };
        let arrivals = (0..20).map(second).collect();
        Figure::new(Statistic::quantile(0.5, arrivals, 2_000_000), &Arc::new(Resampling::new(&frame)))
    }

    #[test]
    fn what_moves_all_arms_cancels() {
        let arms = [(0.0, median(0, 0)), (0.001, median(2_000, 0)), (0.003, median(6_000, 0))];
        let found = slope(&arms, true).expect("three arms");
        assert!((found.value.expect("known") - 2.0).abs() < 0.02, "{found:?}");
        let interval = found.interval.expect("twenty seconds");
        let own = estimate(&arms[0].1).interval.expect("twenty seconds");
        assert!(1.95 < interval.low && interval.upper() < 2.05, "{interval:?}");
        assert!(own.upper() - own.low > 0.000_3, "each by itself is wide: {own:?}");
        assert_eq!(slope(&arms, false).map(|of| of.interval), Some(None), "took turns");
    }

    #[test]
    fn what_did_not_end_has_no_slope_and_failures_count() {
        assert_eq!(slope(&[(0.0, median(0, 0)), (0.001, median(0, 41))], true), None, "no median");
        // A third failed: the median of all is slower than that of the answered.
        let failing = slope(&[(0.0, median(0, 0)), (0.001, median(0, 20))], true).expect("two arms");
        assert!(failing.value.is_some_and(|slope| slope > 0.2), "{failing:?}");
        assert_eq!(slope(&[(0.001, median(0, 0)), (0.001, median(0, 0))], true), None, "one distance");
    }
}
