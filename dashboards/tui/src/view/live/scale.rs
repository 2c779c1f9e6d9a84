//! How high a chart is: the same for every arm on the screen.

use super::series;
use super::time_axis::TimeAxis;
use crate::state::{Metric, State};
use scorecard::latency_limits;

/// A scale that all arms share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    /// Covers all values, to the next 1, 2 or 5; logarithmic at least a decade, linear from zero.
    pub(super) fn over(values: impl Iterator<Item = f64>, log: bool) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| v.is_finite() && *v > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        let nothing = low > high;
        let (low, high) = if nothing { (1.0, if log { 1_000.0 } else { 1.0 }) } else { (low, high) };
        let top = steps().find(|step| *step >= high).unwrap_or(high);
        if !log {
            return Self { low: 0.0, high: top, log };
        }
        let low = steps().rev().find(|step| *step <= low).unwrap_or(low);
        Self { low, high: top.max(low * 10.0), log }
    }

    /// 0 at the bottom, 1 at the top.
    pub(super) fn share(self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        // The logarithm of nothing is at the bottom.
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Values worth a label, the ones that matter most first.
    pub(super) fn ticks(self) -> Vec<f64> {
        if self.log {
            // Powers of ten; 2 and 5 where a row is left between two labels.
            let inside = || steps().filter(|v| *v >= self.low && *v <= self.high);
            let is_power = |v: &f64| (v.log10() - v.log10().round()).abs() < 1e-9;
            return inside().filter(is_power).chain(inside().filter(|v| !is_power(v))).collect();
        }
        // Ends, middle, quarters: of 1, 2 and 5 all of them are short numbers.
        [0.0, 1.0, 0.5, 0.25, 0.75].map(|part| self.low + part * (self.high - self.low)).to_vec()
    }

    /// How many of [`Scale::ticks`] may stand row by row: the others need a blank row beside them.
    pub(super) fn close(self) -> usize {
        if self.log {
            self.ticks().iter().filter(|v| (v.log10() - v.log10().round()).abs() < 1e-9).count()
        } else {
            0
        }
    }
}

/// The scale of both arms shown, over a stretch of time: an arm that is not drawn counts as well, so that going from
/// one to the other moves nothing but the lines.
pub(super) fn shared(state: &State, axis: TimeAxis) -> Scale {
    let (first, other) = state.shown().unwrap_or_default();
    let metric = state.live.metric;
    let log = series::is_log(metric) != state.live.other_scale;
    Scale::over(values(state, first, axis).chain(values(state, other, axis)), log)
}

/// Everything an arm's chart has to cover.
fn values(state: &State, arm: char, axis: TimeAxis) -> impl Iterator<Item = f64> + '_ {
    let place = state.run.position_at(arm, state.at());
    let points = place.into_iter().flat_map(move |place| {
        (axis.from..place.seconds.min(axis.to)).flat_map(move |at| {
            let all = series::of(state.live.metric, state.live.percentiles).iter();
            all.filter_map(move |series| (series.of)(state, arm, place, at)).map(|point| point.value)
        })
    });
    let latency = state.live.metric == Metric::Latency;
    let limits = latency.then(|| latency_limits(&state.run, arm)).into_iter().flatten().map(|limit| limit.ms);
    points.chain(limits)
}

/// 1, 2, 5 times the powers of ten, from a thousandth to a million.
fn steps() -> impl DoubleEndedIterator<Item = f64> {
    (-3..=6).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_covers_what_it_is_given() {
        let log = |values: &[f64]| Scale::over(values.iter().copied(), true);
        assert_eq!(log(&[3.0, 180.0]), Scale { low: 2.0, high: 200.0, log: true });
        assert_eq!(log(&[3.0]), Scale { low: 2.0, high: 20.0, log: true }, "at least a decade");
        assert_eq!(log(&[]), Scale { low: 1.0, high: 1_000.0, log: true });
        let linear = Scale::over([3.0, 180.0].into_iter(), false);
        assert_eq!(linear, Scale { low: 0.0, high: 200.0, log: false });
        let scale = log(&[1.0, 100.0]);
        assert!((scale.share(10.0) - 0.5).abs() < 1e-12, "10 is half way from 1 to 100 on a log axis");
        assert_eq!((scale.share(0.0), linear.share(50.0)), (0.0, 0.25));
    }
}
