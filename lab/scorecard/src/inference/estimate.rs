//! A figure of one arm with its interval, or with the reason why it has none.

use record::{Interval, Measured, Note};

use super::counts;
use super::figure::{Content, Figure};
use super::pooled::{carrying, carrying_of};
use super::shares::{LEVEL, Share};
use super::statistic::{Body, Once};

/// Samples from which a p50 or p90 is shown.
pub(super) const MIN_SAMPLES: u64 = 100;
/// Up to this quantile [`MIN_SAMPLES`] decide, beyond it the samples of the tail.
const LAST_PLAIN_QUANTILE: f64 = 0.90;
/// Samples that are expected beyond a quantile: from how many it is shown, from how many it is judged.
const MIN_TAIL: f64 = 3.0;
pub(super) const MIN_TAIL_TO_JUDGE: f64 = 10.0;
/// Trials from which a share is judged.
pub(super) const MIN_TRIALS: u64 = 100;
/// Arrivals, counted as independent ones, below which nothing is shown.
const MIN_INDEPENDENT: f64 = 10.0;
/// Units that have to carry a tail for its far end to be bounded, and the samples of a quotient for it to be judged.
pub(super) const MIN_CARRYING: f64 = 5.0;

/// The value of a figure with its interval.
pub fn estimate(figure: &Figure) -> Measured {
    if let Some(note) = figure.shortage() {
        return Measured { n: figure.statistic.n, note: Some(note), ..Measured::default() };
    }
    let scale = figure.statistic.scale;
    let measured = figure.measured();
    Measured {
        value: measured.value.map(|value| value * scale),
        n: figure.statistic.n,
        interval: measured.interval.map(|interval| interval.scaled(scale)),
        ..measured
    }
}

impl Figure {
    /// Why not even its value is shown.
    pub(super) fn shortage(&self) -> Option<Note> {
        let arrivals = match &self.content {
            Content::Quantile { q, pooled } => {
                let n = pooled.len();
                let is_too_few = if *q <= LAST_PLAIN_QUANTILE {
                    n < MIN_SAMPLES
                } else {
                    expected_beyond(*q, n) < MIN_TAIL
                };
                if is_too_few {
                    return Some(Note::TooFew);
                }
                n
            }
            _ => return None,
        };
        let is_clustered = self.has_intervals() && arrivals as f64 / self.clustering() < MIN_INDEPENDENT;
        is_clustered.then_some(Note::TooClustered)
    }

    /// Why its value is shown, but nothing is concluded from it.
    pub(super) fn doubt(&self) -> Option<Note> {
        let is_drawn = !matches!(self.content, Content::Fixed);
        if is_drawn && !self.has_intervals() {
            return Some(match &self.statistic.body {
                Body::PerRound { .. } => Note::OncePerRun,
                _ => Note::ShortWindow,
            });
        }
        let is_too_few = match &self.content {
            Content::Quantile { q, pooled } => expected_beyond(*q, pooled.len()) < MIN_TAIL_TO_JUDGE,
            Content::Share { trials, .. } => trials.iter().sum::<u64>() < MIN_TRIALS,
            // A quotient of one second that has a sample is the same in every resample, and its interval has no width.
            Content::Quotient { denominators, .. } => {
                !self.resampling.is_by_rounds() && carrying_of(denominators.iter().copied()) < MIN_CARRYING
            }
            Content::Fixed => false,
        };
        is_too_few.then_some(Note::TooFewToJudge)
    }

    /// In the body's unit.
    fn measured(&self) -> Measured {
        let measured = match &self.statistic.body {
            Body::Exact(value) => Measured { value: *value, note: Some(Note::Exact), ..Measured::default() },
            Body::Bracket { low, high } => {
                return Measured {
                    interval: Some(Interval { low: low.unwrap_or(0.0), high: *high }),
                    ..Measured::default()
                };
            }
            Body::Count(_) => self.count(),
            Body::PerRound { values, is_event } => self.per_round(values, *is_event),
            Body::Quotient(_) => self.quotient(),
            Body::Quantile { q, bound_us, .. } => self.quantile(*q, *bound_us),
            Body::Share { is_failure, .. } => {
                let share = self.share();
                let interval = share.map(|share| self.bounded(&share, *is_failure));
                Measured { value: share.map(|share| share.value()), interval, ..Measured::default() }
            }
        };
        if measured.value.is_none() {
            return Measured { note: Some(Note::NotMeasured), ..measured };
        }
        match measured.note.or_else(|| self.doubt()) {
            Some(Note::ShortWindow) => Measured { interval: None, note: Some(Note::ShortWindow), ..measured },
            Some(note) => Measured { note: Some(note), ..measured },
            None if self.is_coupled() => Measured { note: Some(Note::Queue), ..measured },
            None => Measured { note: self.statistic.is_nominal.then_some(Note::Nominal), ..measured },
        }
    }

    /// A share's interval. Failures that came in few bursts leave the far end open: a window may have missed them.
    pub(super) fn bounded(&self, share: &Share, is_failure: bool) -> Interval {
        let (low, high) = share.interval(LEVEL);
        let Content::Share { events, .. } = &self.content else { return Interval::new(low, high) };
        let is_burst = is_failure
            && !self.resampling.is_by_rounds()
            && share.events > 0.0
            && share.clustering > 1.0
            && carrying(events) < MIN_CARRYING;
        if is_burst { Interval::from(low) } else { Interval::new(low, high) }
    }

    fn quotient(&self) -> Measured {
        let Content::Quotient { numerators, denominators } = &self.content else {
            return Measured::default();
        };
        let below: f64 = denominators.iter().sum();
        if below <= 0.0 {
            return Measured::default();
        }
        let value = numerators.iter().sum::<f64>() / below;
        let interval = self.has_intervals().then(|| {
            let is_negative = numerators.iter().any(|numerator| *numerator < 0.0);
            let (low, high) = self.around(value);
            Interval::new(if is_negative { low } else { low.max(0.0) }, high)
        });
        Measured { value: Some(value), interval, ..Measured::default() }
    }

    /// Around a value by its spread over the resamples: on its logarithm, but where it may be 0.
    fn around(&self, value: f64) -> (f64, f64) {
        let stretch = self.freedom().stretch(LEVEL);
        let replicates = self.replicates().iter().copied();
        if value > 0.0 && replicates.clone().all(|replicate| replicate.is_nan() || replicate > 0.0) {
            let half = stretch * self.resampling.deviation(replicates.map(f64::ln));
            return (value * (-half).exp(), value * half.exp());
        }
        let half = stretch * self.resampling.deviation(replicates);
        (value - half, value + half)
    }

    fn quantile(&self, q: f64, bound_us: u64) -> Measured {
        let Content::Quantile { pooled, .. } = &self.content else { return Measured::default() };
        let seen = pooled.quantile(q).map(|us| us as f64);
        // As far as was waited; no wait that ended can have been beyond it.
        let bound = pooled.longest().unwrap_or(0).max(bound_us) as f64;
        let measured = Measured {
            value: Some(seen.unwrap_or(bound)),
            is_censored: seen.is_none(),
            note: seen.is_none().then_some(Note::Censored),
            ..Measured::default()
        };
        if !self.has_intervals() {
            return Measured { note: Some(Note::ShortWindow), ..measured };
        }
        let interval = if self.resampling.is_by_rounds() {
            self.quantile_over_rounds(seen, bound)
        } else {
            self.order_statistics(q, seen)
        };
        Measured { interval: Some(interval), ..measured }
    }

    /// Kind 1 over rounds; what did not end in a resample counts as what was waited, and leaves the far end open.
    fn quantile_over_rounds(&self, seen: Option<f64>, bound: f64) -> Interval {
        let ended = |replicate: f64| if replicate.is_infinite() { bound } else { replicate };
        let logs = self.replicates().iter().map(|replicate| ended(*replicate).ln());
        let half = self.freedom().stretch(LEVEL) * self.resampling.deviation(logs);
        let value = seen.unwrap_or(bound);
        let is_open = seen.is_none() || self.replicates().iter().any(|replicate| replicate.is_infinite());
        let low = value * (-half).exp();
        if is_open { Interval::from(low) } else { Interval::new(low, value * half.exp()) }
    }

    /// Order statistics at the ends of the share beyond the quantile (Woodruff 1952).
    fn order_statistics(&self, q: f64, seen: Option<f64>) -> Interval {
        let Content::Quantile { pooled, .. } = &self.content else { return Interval::from(0.0) };
        let n = pooled.len() as f64;
        let (_, clustering) = self.tail_clustering(q);
        let half = self.freedom().stretch(LEVEL) * (clustering / (n * q * (1.0 - q))).sqrt();
        let centre = ((1.0 - q) / q).ln();
        let share = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        let (beyond_upper, beyond_lower) = (share(centre - half), share(centre + half));
        let low = ((1.0 - beyond_lower) * n).floor();
        let low =
            if low < 1.0 { 0.0 } else { pooled.at(low as u64).or(pooled.longest()).unwrap_or(0) as f64 };
        let beyond = seen.map(|us| pooled.slower_than(us as u64));
        let is_carried = beyond.is_some_and(|beyond| carrying(&beyond) >= MIN_CARRYING);
        let high = pooled.at(((1.0 - beyond_upper) * n).ceil() as u64 + 1).filter(|_| is_carried);
        Interval { low, high: high.map(|us| us as f64) }
    }

    fn count(&self) -> Measured {
        let Body::Count(rounds) = &self.statistic.body else { return Measured::default() };
        let counts: Vec<f64> = rounds.iter().flatten().map(|round| round.events as f64).collect();
        let is_over_rounds =
            self.resampling.units.have_intervals(counts.len()) && self.resampling.is_by_rounds();
        let sum: f64 = counts.iter().sum();
        // Where nothing was looked at, nothing was found: that is no 0.
        let is_known = sum > 0.0 || rounds.iter().flatten().any(|round| round.trials > 0);
        if !is_known {
            return Measured::default();
        }
        let (low, high) = if is_over_rounds { counts::over_rounds(&counts) } else { counts::garwood(sum) };
        let is_one_event = self.is_of_event() && !is_over_rounds;
        Measured {
            value: Some(sum),
            interval: (!is_one_event).then_some(Interval::new(low, high)),
            note: is_one_event.then_some(Note::ThisEvent),
            ..Measured::default()
        }
    }

    fn per_round(&self, values: &[Option<Once>], is_event: bool) -> Measured {
        let known: Vec<&Once> = values.iter().flatten().collect();
        let n = known.len() as f64;
        let value = (n > 0.0).then(|| known.iter().map(|once| once.value).sum::<f64>() / n);
        let is_censored = known.iter().any(|once| once.is_censored);
        let measured = Measured { value, is_censored, ..Measured::default() };
        if self.resampling.is_by_rounds() && self.has_intervals() {
            let interval = value.map(|value| {
                let is_recovery = known.iter().any(|once| once.interval.is_some());
                let (low, high) = self.around(value);
                let low = low.max(0.0);
                // Known to the second only.
                let (low, high) = if is_recovery { ((low - 1.0).max(0.0), high + 1.0) } else { (low, high) };
                if is_censored { Interval::from(low) } else { Interval::new(low, high) }
            });
            return Measured { interval, note: is_censored.then_some(Note::Censored), ..measured };
        }
        let own: Option<Vec<(f64, f64)>> = known.iter().map(|once| once.interval).collect();
        let interval = own.filter(|own| !own.is_empty()).map(|own| {
            let mean = |end: fn(&(f64, f64)) -> f64| own.iter().map(end).sum::<f64>() / n;
            let (low, high) = (mean(|ends| ends.0), mean(|ends| ends.1));
            if is_censored || high.is_infinite() { Interval::from(low) } else { Interval::new(low, high) }
        });
        let note = if is_event { Note::ThisEvent } else { Note::OncePerRun };
        Measured { interval, note: Some(note), ..measured }
    }
}

/// Samples expected beyond a quantile.
fn expected_beyond(q: f64, n: u64) -> f64 {
    // Rounded, so that 300 samples have three beyond their p99.
    (n as f64 * (1.0 - q) * 1e9).round() / 1e9
}
