//! The value of a statistic as seen: over all of its units, each counted once, or over those of one round.

use std::ops::Range;

use model::latency::ArrivalQuantile;
use record::{Latencies, Measured};

use super::statistic::{Arrivals, Body, Frame, Once, Statistic, Terms, Trials};

/// Samples a share or a median needs.
const MIN_SAMPLES: u64 = 100;
/// Samples that must lie beyond a quantile.
const MIN_BEYOND: f64 = 10.0;

impl Statistic {
    /// Its value with its samples, without an interval.
    pub fn seen(&self) -> Measured {
        let value = self.value_of(&(0..usize::MAX));
        Measured {
            value: value.map(|once| once.value),
            n: self.n,
            is_censored: value.is_some_and(|once| once.is_censored),
            ..Measured::default()
        }
    }

    /// The same as what happened once in each round: seconds under a fault are no sample of other seconds. From too few
    /// samples there is none.
    #[must_use]
    pub fn as_event(&self, frame: &Frame) -> Self {
        if matches!(self.body, Body::Count(_) | Body::Exact(_) | Body::Bracket { .. } | Body::PerRound { .. })
        {
            return self.clone();
        }
        if self.n < self.needed_samples() {
            let none = vec![None; frame.rounds as usize];
            return Self { n: self.n, ..Self::event(none) };
        }
        let seconds = frame.seconds as usize;
        let of_round = |round: usize| self.value_of(&(round * seconds..(round + 1) * seconds));
        let values = (0..frame.rounds as usize).map(of_round).collect();
        Self { n: self.n, ..Self::event(values) }
    }

    /// Samples from which its value decides anything: a hundred of a share or a median, ten beyond a tail's quantile, and of
    /// what a step did as many as its measure names.
    pub(crate) fn needed_samples(&self) -> u64 {
        match &self.body {
            Body::Share { .. } => MIN_SAMPLES,
            Body::Quantile { q, .. } => MIN_SAMPLES.max((MIN_BEYOND / (1.0 - q)).round() as u64),
            _ => self.needs,
        }
    }

    /// Its value over some of its units, in the row's unit.
    fn value_of(&self, units: &Range<usize>) -> Option<Once> {
        let known = match &self.body {
            Body::Quotient(terms) => quotient(within(terms, units)).map(Once::of),
            Body::Quantile { q, arrivals, bound_us } => quantile(within(arrivals, units), *q, *bound_us),
            Body::Share { trials, .. } => share(within(trials, units)).map(Once::of),
            Body::Count(rounds) => count(within(rounds, units)).map(Once::of),
            Body::Exact(value) => value.map(Once::of),
            Body::Bracket { .. } => None,
            Body::PerRound { values, .. } => mean(within(values, units)),
        }?;
        Some(Once { value: known.value * self.scale, ..known })
    }
}

fn within<'a, T>(units: &'a [Option<T>], range: &Range<usize>) -> impl Iterator<Item = &'a T> + Clone {
    units[range.start.min(units.len())..range.end.min(units.len())].iter().flatten()
}

fn quotient<'a>(units: impl Iterator<Item = &'a Terms>) -> Option<f64> {
    let sum = |sum: Terms, unit: &Terms| Terms {
        numerator: sum.numerator + unit.numerator,
        denominator: sum.denominator + unit.denominator,
    };
    let sum = units.fold(Terms::default(), sum);
    (sum.denominator > 0.0).then(|| sum.numerator / sum.denominator)
}

/// The quantile `q` of waits, microseconds; censored where it lies among those that did not end.
pub(crate) fn quantile<'a>(
    units: impl Iterator<Item = &'a Arrivals> + Clone,
    q: f64,
    bound_us: u64,
) -> Option<Once> {
    let censored: u64 = units.clone().map(|unit| unit.censored).sum();
    let waits = Latencies::merged(units.map(|unit| &unit.waits));
    let ArrivalQuantile { us, is_censored, .. } = ArrivalQuantile::of(&waits, censored, q, bound_us)?;
    Some(Once { is_censored, ..Once::of(us as f64) })
}

fn share<'a>(units: impl Iterator<Item = &'a Trials>) -> Option<f64> {
    let (events, trials) = units.fold((0, 0), |sum, unit| (sum.0 + unit.events, sum.1 + unit.trials));
    (trials > 0).then(|| events as f64 / trials as f64)
}

fn count<'a>(rounds: impl Iterator<Item = &'a Trials> + Clone) -> Option<f64> {
    let is_known = rounds.clone().any(|round| round.trials > 0 || round.events > 0);
    is_known.then(|| rounds.map(|round| round.events).sum::<u64>() as f64)
}

/// The mean over rounds; over censored ones a lower bound.
fn mean<'a>(rounds: impl Iterator<Item = &'a Once> + Clone) -> Option<Once> {
    let n = rounds.clone().count();
    let sum: f64 = rounds.clone().map(|once| once.value).sum();
    let only = rounds.clone().next().filter(|_| n == 1);
    let is_censored = rounds.clone().any(|once| once.is_censored);
    (n > 0).then(|| Once {
        value: sum / n as f64,
        is_censored,
        interval: only.and_then(|once| once.interval),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(rounds: u32, seconds: u32) -> Frame {
        Frame { seed: 1, window: "steady".into(), rounds, seconds }
    }

    #[test]
    fn a_second_without_a_scrape_leaves_above_and_below_the_line() {
        let unit = |numerator| Some(Terms { numerator, denominator: 10.0 });
        let statistic = Statistic::quotient(vec![unit(20.0), None, unit(40.0)], 20, 1e-3);
        assert_eq!(statistic.seen().value, Some(0.003));
        let none = Statistic::quotient(vec![None, None], 0, 1.0);
        assert_eq!(none.seen().value, None);
    }

    #[test]
    fn failures_lie_above_every_latency() {
        let unit =
            |waits: &[u64], censored| Some(Arrivals { waits: waits.iter().copied().collect(), censored });
        // Four answers and one failure: the median is the third of five, the p90 is the failure.
        let arrivals = vec![unit(&[100, 200], 0), unit(&[300, 400], 1)];
        let median = Statistic::quantile(0.5, arrivals.clone(), 2_000_000).seen();
        assert_eq!((median.value, median.n, median.is_censored), (Some(300e-6), 5, false));
        let tail = Statistic::quantile(0.9, arrivals, 2_000_000).seen();
        assert_eq!((tail.value, tail.is_censored), (Some(2.0), true), "beyond two seconds");
    }

    #[test]
    fn under_a_fault_each_round_is_one_observation() {
        let unit = |events, trials| Some(Trials { events, trials });
        let trials = vec![unit(10, 10), unit(0, 10), unit(10, 10), unit(10, 10)];
        let event = Statistic::share(trials.clone(), Vec::new(), false).as_event(&frame(2, 2));
        assert_eq!(event.seen().value, None, "from forty samples");
        let many = trials.into_iter().map(|unit| {
            unit.map(|unit: Trials| Trials { events: unit.events * 10, trials: unit.trials * 10 })
        });
        let event = Statistic::share(many.collect(), Vec::new(), false).as_event(&frame(2, 2));
        let Body::PerRound { values, is_event: true } = &event.body else { panic!("{event:?}") };
        assert_eq!(values.iter().flatten().map(|once| once.value).collect::<Vec<_>>(), [0.5, 1.0]);
        assert_eq!((event.seen().value, event.n), (Some(0.75), 400));
    }
}
