//! What a claim takes to be judged, as far as that is known before the run: samples, seconds, and how many of the samples
//! may lie on the wrong side of its limit.

use model::Run;

use super::estimate::{MIN_SAMPLES, MIN_TAIL_TO_JUDGE, MIN_TRIALS};
use super::shares::{LEVEL, Share};
use super::statistic::Body;
use super::student;
use super::units::{MIN_ROUNDS, MIN_SECONDS};
use crate::expect::Query;
use crate::measure::Unit;

/// What a figure is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StatisticKind {
    /// A quantile of waits: 0.99.
    Quantile(f64),
    /// A share of trials.
    Share,
    /// A sum or a quotient over the seconds of its window.
    Quotient,
    /// Counted, or seen once: judged as it is seen.
    AsSeen,
}

impl StatisticKind {
    /// What the figure of a query is made of.
    pub fn of(query: &Query) -> Self {
        match body_of(query) {
            Body::Quantile { q, .. } => Self::Quantile(q),
            Body::Share { .. } => Self::Share,
            Body::Quotient(_) => Self::Quotient,
            Body::Count(_) | Body::Exact(_) | Body::Bracket { .. } | Body::PerRound { .. } => Self::AsSeen,
        }
    }

    /// Samples below which it is not judged.
    pub fn min_samples(self) -> Option<u64> {
        match self {
            // Rounded, or `1 - 0.99` is a hair less than one in a hundred.
            Self::Quantile(q) => Some(((MIN_TAIL_TO_JUDGE / (1.0 - q)).round() as u64).max(MIN_SAMPLES)),
            Self::Share => Some(MIN_TRIALS),
            Self::Quotient | Self::AsSeen => None,
        }
    }

    /// Seconds below which a window has no interval in a run of so many rounds.
    pub const fn min_seconds(self, rounds: u32) -> Option<u32> {
        match self {
            Self::Quantile(_) | Self::Share | Self::Quotient if rounds < MIN_ROUNDS => {
                Some(MIN_SECONDS as u32)
            }
            _ => None,
        }
    }
}

/// Whether arms that took turns are compared in a figure however few rounds there were: the plan has it, a bracket holds it,
/// or it is what processes hold, memory and sockets, which is judged on what was seen. What else differs may be the turn's
/// doing.
pub fn is_free_of_turns(query: &Query) -> bool {
    match body_of(query) {
        Body::Exact(_) | Body::Bracket { .. } => true,
        Body::PerRound { is_event, .. } => {
            !is_event && matches!(query.measure.unit, Unit::Bytes | Unit::Count)
        }
        Body::Quotient(_) | Body::Quantile { .. } | Body::Share { .. } | Body::Count(_) => false,
    }
}

/// What the figure of a query is made of, where nothing was measured: its kind does not depend on that.
fn body_of(query: &Query) -> Body {
    (query.measure.statistic)(&query.of(&Run::default(), 'A')).body
}

/// The most events among `n` independent trials by which the share is still below a limit, at 95 %; `None` where `n` is too
/// few to show that even without one.
pub fn most_events(limit: f64, n: u64) -> Option<u64> {
    let is_below = |events: u64| interval(events, n).1 <= limit + 1e-12;
    (n > 0 && is_below(0)).then(|| last(0, n, is_below))
}

/// The fewest events among `n` independent trials by which the share is above a limit, at 95 %; `None` where `n` is too few
/// to show that even if all are.
pub fn fewest_events(limit: f64, n: u64) -> Option<u64> {
    let is_above = |events: u64| interval(events, n).0 > limit + 1e-12;
    (n > 0 && is_above(n)).then(|| n - last(0, n, |missing| is_above(n - missing)))
}

/// The largest number up to `most` for which something holds that holds for `from`, and for none after the first for which
/// it does not.
fn last(from: u64, most: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (from, most + 1);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

fn interval(events: u64, trials: u64) -> (f64, f64) {
    let share = Share { events: events as f64, trials: trials as f64, clustering: 1.0, nu: student::NORMAL };
    share.interval(LEVEL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Expectation;
    use crate::expect::Side;

    fn sampled(text: &str) -> StatisticKind {
        let expectation: Expectation = text.parse().expect(text);
        match &expectation.left {
            Side::Measure { query, .. } => StatisticKind::of(query),
            Side::Quantity { .. } => panic!("{text} begins with a measure"),
        }
    }

    #[test]
    fn a_tail_takes_ten_samples_beyond_it() {
        let of = |text| (sampled(text), sampled(text).min_samples());
        assert_eq!(of("p99(all) < 50ms"), (StatisticKind::Quantile(0.99), Some(1_000)));
        assert_eq!(of("p999(all) < 50ms").1, Some(10_000));
        assert_eq!(of("p50(all) < 50ms").1, Some(100), "below that no median is shown");
        assert_eq!(of("errors(all) < 1%"), (StatisticKind::Share, Some(100)));
        assert_eq!(of("cpu_per_journey() >= 0"), (StatisticKind::Quotient, None));
        assert_eq!(of("lost_writes() == 0"), (StatisticKind::AsSeen, None));
        assert_eq!(sampled("p50(all) < 50ms").min_seconds(1), Some(8));
        assert_eq!(sampled("p50(all) < 50ms").min_seconds(6), None, "rounds are the units");
        assert_eq!(sampled("lost_writes() == 0").min_seconds(1), None);
    }

    #[test]
    fn no_measure_asks_more_of_a_run_than_that_it_is_there() {
        for measure in crate::measures::CATALOGUE {
            let form = measure.form().replace("(journey)", "(all)").replace("step id", "step x");
            let text = format!("{} >= 0", form.replace("component", "feed").replace("a->b", "feed->photo"));
            // A measure whose text this is not has a unit, and a bare 0 fits any.
            let _ = sampled(&text);
        }
    }

    #[test]
    fn events_that_a_limit_allows() {
        // Wilson: z²/(n+z²) = 0.01 at n = 380.3.
        assert_eq!((most_events(0.01, 380), most_events(0.01, 381)), (None, Some(0)));
        let most = most_events(0.01, 1_120).expect("enough");
        assert!(interval(most, 1_120).1 <= 0.01 && interval(most + 1, 1_120).1 > 0.01, "{most}");
        let fewest = fewest_events(0.5, 300).expect("enough");
        assert!(interval(fewest, 300).0 > 0.5 && interval(fewest - 1, 300).0 <= 0.5, "{fewest}");
        assert_eq!(fewest_events(0.99, 100), None, "100 of 100 do not show 99 %");
        assert_eq!((most_events(0.01, 0), most_events(1.0, 5)), (None, Some(5)));
    }
}
