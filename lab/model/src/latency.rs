//! Percentiles of latency: how one is computed, how many samples it needs, and over how many seconds a displayed one is
//! taken.
//!
//! Histograms are merged and then asked; percentiles are never averaged. Latency is that of journeys answered
//! ok, counted from when each was due. What views show: p50 of one second, p99 of the last [`P99_SECONDS`], p99.9 of the last
//! [`P999_SECONDS`], staleness of the last [`P999_SECONDS`]; over a window, of all its samples.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

use record::Latencies;

/// Seconds a displayed p99 is taken over: one second has too few samples for it.
pub const P99_SECONDS: u32 = 5;
/// Seconds a displayed p99.9 is taken over, and staleness, of which few reads give a sample.
pub const P999_SECONDS: u32 = 30;
/// Samples that must lie beyond a quantile: with fewer it is a guess.
const MIN_BEYOND: f64 = 5.0;

/// Whether enough of `n` samples lie beyond the quantile `q`; otherwise views dim it, or put it in brackets.
fn is_believable(n: u64, q: f64) -> bool {
    // 50 x (1 - 0.9) is a hair below 5 in binary.
    n as f64 * (1.0 - q) >= MIN_BEYOND - 1e-9
}

/// A percentile with the samples behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantile {
    /// Milliseconds; `None` without samples.
    pub ms: Option<f64>,
    /// Samples.
    pub n: u64,
    /// Its `q`, 0 to 1.
    pub q: f64,
}

impl Quantile {
    /// The quantile `q` of latencies.
    pub fn of(latencies: &Latencies, q: f64) -> Self {
        Self { ms: latencies.quantile(q).map(ms_of_us), n: latencies.len(), q }
    }

    /// Whether enough samples lie beyond it; otherwise views dim it.
    pub fn is_believable(self) -> bool {
        is_believable(self.n, self.q)
    }
}

/// A [`Quantile`] of a known `q` in eight bytes: twenty minutes of seconds, each with seven of them, is held for every arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedQuantile {
    /// Microseconds and one; `None` without samples.
    us: Option<NonZeroU32>,
    n: u32,
}

impl PackedQuantile {
    /// Whole microseconds, as latencies are counted; 71 minutes and 2^32 samples at most.
    pub(crate) fn of(quantile: Quantile) -> Self {
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let us = quantile.ms.map(|ms| narrow((ms * 1e3).round() as u64).saturating_add(1));
        Self { us: us.and_then(NonZeroU32::new), n: narrow(quantile.n) }
    }

    pub(crate) fn unpacked(self, q: f64) -> Quantile {
        Quantile { ms: self.us.map(|us| ms_of_us(u64::from(us.get() - 1))), n: u64::from(self.n), q }
    }
}

/// A percentile of arrivals of which some were not answered: those lie above every latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrivalQuantile {
    /// Microseconds.
    pub us: u64,
    /// Whether it is one of those that were not answered, so that it lies beyond.
    pub is_censored: bool,
    /// Whether enough arrivals lie beyond it; otherwise views put it in brackets.
    pub is_believable: bool,
}

impl ArrivalQuantile {
    /// The quantile `q` of all arrivals, the `ceil(q N)`-th smallest; where that is one of the `failed`, as far as was waited,
    /// `bound_us` microseconds. `None` without arrivals.
    pub fn of(answered: &Latencies, failed: u64, q: f64, bound_us: u64) -> Option<Self> {
        let n = answered.len() + failed;
        if n == 0 {
            return None;
        }
        let is_believable = is_believable(n, q);
        let rank = ((q * n as f64).ceil() as u64).max(1);
        if rank > answered.len() {
            let us = answered.max().unwrap_or(0).max(bound_us);
            return Some(Self { us, is_censored: true, is_believable });
        }
        Some(Self { us: answered.at(rank)?, is_censored: false, is_believable })
    }

    /// The same in seconds.
    pub fn seconds(self) -> f64 {
        self.us as f64 / 1e6
    }
}

/// Microseconds, as the record has latencies, in milliseconds, as views draw them.
pub fn ms_of_us(us: u64) -> f64 {
    us as f64 / 1e3
}

/// Latencies of the last seconds, of which the oldest leave as new ones come.
#[derive(Debug, Default)]
pub(crate) struct Rolling {
    over: u32,
    counts: BTreeMap<u64, u64>,
    samples: u64,
    /// What came in which second.
    parts: VecDeque<(u32, Latencies)>,
}

impl Rolling {
    /// Latencies of so many seconds.
    pub fn over(seconds: u32) -> Self {
        Self { over: seconds, ..Self::default() }
    }

    /// Adds latencies of a second, not before those already there.
    pub fn add(&mut self, second: u32, latencies: &Latencies) {
        for (us, count) in latencies.iter() {
            *self.counts.entry(us).or_default() += count;
            self.samples += count;
        }
        self.parts.push_back((second, latencies.clone()));
    }

    /// Leaves only the seconds that end with this one.
    pub fn end_with(&mut self, second: u32) {
        while let Some((at, _)) = self.parts.front() {
            if at + self.over > second {
                return;
            }
            let Some((_, latencies)) = self.parts.pop_front() else { return };
            for (us, count) in latencies.iter() {
                self.samples -= count;
                if let Some(left) = self.counts.get_mut(&us) {
                    *left -= count;
                    if *left == 0 {
                        self.counts.remove(&us);
                    }
                }
            }
        }
    }

    /// The quantile `q` of what is there, by the same rank as [`Latencies::quantile`].
    pub fn quantile(&self, q: f64) -> Quantile {
        let rank = ((q * self.samples as f64).ceil() as u64).clamp(1, self.samples.max(1));
        // Tails are near the end.
        let mut at_or_above = self.samples;
        let mut found = None;
        if q > 0.5 {
            for (us, count) in self.counts.iter().rev() {
                at_or_above -= count;
                if at_or_above < rank {
                    found = Some(*us);
                    break;
                }
            }
        } else {
            let mut below = 0;
            for (us, count) in &self.counts {
                below += count;
                if below >= rank {
                    found = Some(*us);
                    break;
                }
            }
        }
        Quantile { ms: found.map(ms_of_us), n: self.samples, q }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_samples_beyond_a_quantile_make_it_believable() {
        let of = |n| Quantile { n, q: 0.99, ms: None }.is_believable();
        assert!(of(500) && !of(499));
        let of_arrivals = |n: u64| ArrivalQuantile::of(&Latencies::default(), n, 0.99, 2_000);
        assert!(of_arrivals(500).is_some_and(|of| of.is_believable && of.seconds() == 0.002));
        assert!(of_arrivals(499).is_some_and(|of| !of.is_believable));
    }

    #[test]
    fn a_packed_quantile_is_the_same_to_the_microsecond() {
        for us in [0, 1, 333, 4_294_967, 59_999_999] {
            let quantile = Quantile { ms: Some(ms_of_us(us)), n: us * 7, q: 0.99 };
            assert_eq!(PackedQuantile::of(quantile).unpacked(0.99), quantile);
        }
        let none = Quantile { ms: None, n: 0, q: 0.5 };
        assert_eq!(PackedQuantile::of(none).unpacked(0.5), none);
        assert_eq!(std::mem::size_of::<PackedQuantile>(), 8);
    }

    #[test]
    fn arrivals_without_an_answer_lie_above_every_latency() {
        let answered: Latencies = [100, 200, 300, 400].into_iter().collect();
        let of =
            |q, failed| ArrivalQuantile::of(&answered, failed, q, 2_000).map(|of| (of.us, of.is_censored));
        // The median is the third of five, the p90 the one that failed.
        assert_eq!((of(0.5, 1), of(0.9, 1)), (Some((300, false)), Some((2_000, true))));
        assert_eq!((of(0.5, 0), of(0.5, 5)), (Some((200, false)), Some((2_000, true))));
        assert_eq!(ArrivalQuantile::of(&Latencies::default(), 0, 0.5, 2_000), None);
        // 15 / 29 x 29 is a hair more than 15: the median of 29 is the fifteenth, and never the sixteenth.
        for n in 1..=200_u64 {
            let answered: Latencies = (1..=n).collect();
            let median = ArrivalQuantile::of(&answered, 0, 0.5, 2_000).map(|of| of.us);
            assert_eq!(median, Some(n.div_ceil(2)), "of {n}");
        }
    }

    #[test]
    fn a_rolling_quantile_is_that_of_the_merged_seconds() {
        let seconds: Vec<Latencies> =
            (0..20_u64).map(|s| (1..=40).map(|i| s * 37 % 11 * 100 + i).collect()).collect();
        let mut rolling = Rolling::over(5);
        for (at, second) in (0_u32..).zip(&seconds) {
            rolling.add(at, second);
            rolling.end_with(at);
            let last = Latencies::merged(&seconds[(at as usize + 1).saturating_sub(5)..=at as usize]);
            for q in [0.5, 0.99, 0.999] {
                assert_eq!(rolling.quantile(q), Quantile::of(&last, q), "second {at}, q {q}");
            }
        }
    }
}
