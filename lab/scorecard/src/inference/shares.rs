//! Intervals of shares whose events cluster, and of differences of two shares.
//!
//! Wilson 1927; Newcombe 1998, Statistics in Medicine 17:873, method 10; Zou & Donner 2008, Statistics in Medicine 27.

use super::student;

/// Two-sided 95 %.
pub(crate) const LEVEL: f64 = 0.05;
/// Least level that is distinguished from none.
const MIN_LEVEL: f64 = 1e-6;

/// Events among trials, with how far the events cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    pub(super) events: f64,
    pub(super) trials: f64,
    /// Design effect of the events, or what they borrow.
    pub(super) clustering: f64,
    /// Degrees of freedom the design effect is known by.
    pub(super) nu: f64,
}

impl Share {
    pub(super) fn value(&self) -> f64 {
        self.events / self.trials
    }

    /// Wilson's interval, by as many trials as these are worth.
    pub(super) fn interval(&self, level: f64) -> (f64, f64) {
        let nu = if self.clustering > 1.0 { self.nu } else { student::NORMAL };
        wilson(self.value(), self.trials / self.clustering.max(1.0), student::critical(level, nu))
    }
}

/// Wilson's score interval of a share of `n` trials, which stays within 0 to 1 and has a width even at 0 of n.
fn wilson(p: f64, n: f64, z: f64) -> (f64, f64) {
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // At 0 and 1 the ends meet the value, but for rounding.
    (((centre - half) / scale).clamp(0.0, p), ((centre + half) / scale).clamp(p, 1.0))
}

/// What share of seconds may be bad, at 95 %, where none of so many was: bursts that were missed.
pub(super) fn unseen_bad_seconds(seconds: u32) -> f64 {
    if seconds == 0 { 1.0 } else { 1.0 - LEVEL.powf(1.0 / f64::from(seconds)) }
}

/// Two shares: `other - factor * base`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShareDifference {
    pub(super) base: Share,
    pub(super) other: Share,
    /// 1, but for a claim about a multiple.
    pub(super) factor: f64,
    /// Correlation of the events of both over units, at least 0.
    pub(super) correlation: f64,
}

impl ShareDifference {
    pub(super) fn value(&self) -> f64 {
        self.other.value() - self.factor * self.base.value()
    }

    /// The interval of the difference, from those of the shares.
    pub(super) fn interval(&self, level: f64) -> (f64, f64) {
        let (p_a, p_b) = (self.factor * self.base.value(), self.other.value());
        let (l_a, u_a) = self.base.interval(level);
        let (l_a, u_a) = (self.factor * l_a, self.factor * u_a);
        let (l_b, u_b) = self.other.interval(level);
        let side =
            |one: f64, two: f64| (one * one + two * two - 2.0 * self.correlation * one * two).max(0.0).sqrt();
        let d = p_b - p_a;
        (d - side(p_b - l_b, u_a - p_a), d + side(u_b - p_b, p_a - l_a))
    }

    /// The smallest level whose interval excludes 0.
    pub(super) fn p_differs(&self) -> f64 {
        smallest(|level| {
            let (low, high) = self.interval(level);
            low > 0.0 || high < 0.0
        })
    }

    /// The smallest level `a` whose interval of `1 - 2a` lies within the margin.
    pub(super) fn p_equivalent(&self, margin: f64) -> f64 {
        smallest(|level| {
            let (low, high) = self.interval((2.0 * level).min(1.0));
            -margin < low && high < margin
        })
    }
}

/// The smallest level at which it holds; narrower intervals only help it. 1 where it never does.
fn smallest(holds: impl Fn(f64) -> bool) -> f64 {
    if !holds(1.0 - MIN_LEVEL) {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while high - low > MIN_LEVEL {
        let middle = f64::midpoint(low, high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

/// Correlation of what two arms' units deviate by, at least 0.
pub(super) fn correlation(base: &[f64], other: &[f64]) -> f64 {
    let sum = |pairs: &mut dyn Iterator<Item = f64>| pairs.sum::<f64>();
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (a, b) = (mean(base), mean(other));
    let both = sum(&mut base.iter().zip(other).map(|(x, y)| (x - a) * (y - b)));
    let squares =
        sum(&mut base.iter().map(|x| (x - a).powi(2))) * sum(&mut other.iter().map(|y| (y - b).powi(2)));
    if squares > 0.0 { (both / squares.sqrt()).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(events: f64, trials: f64) -> Share {
        Share { events, trials, clustering: 1.0, nu: 10.0 }
    }

    fn close((low, high): (f64, f64), (a, b): (f64, f64), by: f64) -> bool {
        (low - a).abs() < by && (high - b).abs() < by
    }

    #[test]
    fn wilson_knows_the_textbook_cases() {
        // 8 of 10: 0.490 to 0.943 (Brown, Cai & DasGupta 2001).
        let found = plain(8.0, 10.0).interval(LEVEL);
        assert!(close(found, (0.490, 0.943), 5e-4), "{found:?}");
        // 0 of 1,440: at most 0.27 %.
        let (low, high) = plain(0.0, 1_440.0).interval(LEVEL);
        assert!(low == 0.0 && (high - 0.0027).abs() < 5e-5, "{high}");
    }

    #[test]
    fn newcombe_knows_the_textbook_case() {
        // 56/70 - 48/80: 0.0524 to 0.3339 (Newcombe 1998, table II, case a, method 10).
        let difference = ShareDifference {
            base: plain(48.0, 80.0),
            other: plain(56.0, 70.0),
            factor: 1.0,
            correlation: 0.0,
        };
        let found = difference.interval(LEVEL);
        assert!(close(found, (0.0524, 0.3339), 5e-5), "{found:?}");
        let swapped = ShareDifference { base: difference.other, other: difference.base, ..difference };
        let (low, high) = swapped.interval(LEVEL);
        assert!(close((-high, -low), found, 1e-12));
        // Its level: the interval at it just touches 0.
        let level = difference.p_differs();
        let (low, _) = difference.interval(level);
        assert!(low.abs() < 1e-5 && level < 0.05, "{level} {low}");
    }

    #[test]
    fn a_window_without_a_bad_second_allows_some() {
        assert!(
            (unseen_bad_seconds(12) - 0.22).abs() < 0.005 && (unseen_bad_seconds(60) - 0.05).abs() < 0.005
        );
    }

    #[test]
    fn equal_shares_never_differ_and_are_equivalent_from_enough_trials_on() {
        let equal = |n: f64| ShareDifference {
            base: plain(0.01 * n, n),
            other: plain(0.01 * n, n),
            factor: 1.0,
            correlation: 0.0,
        };
        assert_eq!(equal(1_000.0).p_differs(), 1.0);
        assert!(equal(1_000.0).p_equivalent(0.005) > 0.05);
        assert!(equal(10_000.0).p_equivalent(0.005) < 0.05);
    }

    #[test]
    fn clustered_events_widen() {
        let alone = plain(10.0, 1_000.0).interval(LEVEL);
        let clustered = Share { clustering: 4.0, ..plain(10.0, 1_000.0) }.interval(LEVEL);
        assert!(clustered.0 < alone.0 && clustered.1 > alone.1);
        // Less than chance counts as chance.
        assert_eq!(Share { clustering: 0.3, ..plain(10.0, 1_000.0) }.interval(LEVEL), alone);
    }
}
