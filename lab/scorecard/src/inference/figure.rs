//! A figure of one arm with the resamples of its window: its units added up, its value in each resample.

use std::sync::{Arc, OnceLock};

use super::pooled::PooledWaits;
use super::resampling::Resampling;
use super::shares::{Share, unseen_bad_seconds};
use super::statistic::{Arrivals, Body, Statistic, Trials};
use super::units::DegreesOfFreedom;

/// A figure of one arm, ready to be estimated, compared and judged. What it works out is kept.
#[derive(Clone, Debug)]
pub struct Figure {
    pub(super) statistic: Statistic,
    pub(super) resampling: Arc<Resampling>,
    pub(super) content: Content,
    /// Units with data.
    pub(super) present: usize,
    /// Arrivals a share or a mean is of.
    pub(super) lender: Option<PooledWaits>,
    is_of_event: bool,
    replicates: OnceLock<Vec<f64>>,
    /// That of the slowest quarter of its arrivals.
    pub(super) clustering: OnceLock<f64>,
}

/// A statistic's units, added up to those that are drawn.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Quotient {
        numerators: Vec<f64>,
        denominators: Vec<f64>,
    },
    Quantile {
        q: f64,
        pooled: PooledWaits,
    },
    Share {
        events: Vec<u64>,
        trials: Vec<u64>,
    },
    /// Nothing is drawn of it.
    Fixed,
}

impl Figure {
    /// A statistic in its window. What is missing in one arm has to be missing in all: see [`super::align`].
    pub fn new(statistic: Statistic, resampling: &Arc<Resampling>) -> Self {
        let units = resampling.units.count;
        let mut is_present = vec![false; units];
        let mut lender = None;
        let mut mark = |second: usize| {
            let unit = resampling.units.of(second);
            is_present[unit] = true;
            unit
        };
        let content = match &statistic.body {
            Body::Quotient(seconds) => {
                let (mut numerators, mut denominators) = (vec![0.0; units], vec![0.0; units]);
                for (second, terms) in present(seconds) {
                    let unit = mark(second);
                    numerators[unit] += terms.numerator;
                    denominators[unit] += terms.denominator;
                }
                Content::Quotient { numerators, denominators }
            }
            Body::Quantile { q, arrivals, .. } => {
                present(arrivals).for_each(|(second, _)| {
                    mark(second);
                });
                Content::Quantile { q: *q, pooled: PooledWaits::new(arrivals, &resampling.units) }
            }
            Body::Share { trials: seconds, arrivals, .. } => {
                let (mut events, mut trials) = (vec![0; units], vec![0; units]);
                for (second, of_second) in present(seconds) {
                    let unit = mark(second);
                    events[unit] += of_second.events;
                    trials[unit] += of_second.trials;
                }
                lender = (!arrivals.is_empty()).then(|| PooledWaits::new(arrivals, &resampling.units));
                Content::Share { events, trials }
            }
            Body::PerRound { values, .. } if resampling.is_by_rounds() => {
                // A round counts as one, so that a figure over rounds is their mean.
                let (mut numerators, mut denominators) = (vec![0.0; units], vec![0.0; units]);
                for (round, once) in present(values) {
                    is_present[round] = true;
                    (numerators[round], denominators[round]) = (once.value, 1.0);
                }
                Content::Quotient { numerators, denominators }
            }
            Body::PerRound { .. } | Body::Count(_) | Body::Exact(_) | Body::Bracket { .. } => Content::Fixed,
        };
        Self {
            content,
            present: is_present.iter().filter(|is_present| **is_present).count(),
            lender,
            is_of_event: false,
            replicates: OnceLock::new(),
            clustering: OnceLock::new(),
            resampling: resampling.clone(),
            statistic,
        }
    }

    /// A mean of waits, with the arrivals it is of: whether queues couple their seconds.
    #[must_use]
    pub fn with_arrivals(mut self, arrivals: &[Option<Arrivals>]) -> Self {
        self.lender = Some(PooledWaits::new(arrivals, &self.resampling.units));
        self
    }

    /// A count that one event may have caused as a whole, as a crash does: bounded by rounds only.
    #[must_use]
    pub fn of_event(mut self) -> Self {
        self.is_of_event = true;
        self
    }

    /// What it is made of.
    pub fn statistic(&self) -> &Statistic {
        &self.statistic
    }

    /// Of a share without a single bad trial, the seconds that show it and the share of seconds that may be bad all the
    /// same, at 95 %: its own interval is of trials that fail one by one, and a window can miss bursts. `None` where
    /// something was bad, or nothing was tried.
    pub fn unseen_bad_seconds(&self) -> Option<(u32, f64)> {
        let Body::Share { trials, is_failure, .. } = &self.statistic.body else { return None };
        let known = trials.iter().flatten().filter(|second| second.trials > 0);
        let bad = |second: &Trials| if *is_failure { second.events } else { second.trials - second.events };
        let seconds = u32::try_from(known.clone().count()).unwrap_or(u32::MAX);
        let is_clean = known.map(bad).sum::<u64>() == 0;
        (seconds > 0 && is_clean).then(|| (seconds, unseen_bad_seconds(seconds)))
    }

    /// Whether rounds are its units.
    pub(crate) fn is_by_rounds(&self) -> bool {
        self.resampling.is_by_rounds()
    }

    pub(super) fn is_of_event(&self) -> bool {
        self.is_of_event
    }

    pub(super) fn freedom(&self) -> DegreesOfFreedom {
        self.resampling.units.freedom(self.present)
    }

    /// Whether there are units enough for an interval.
    pub(super) fn has_intervals(&self) -> bool {
        self.resampling.units.have_intervals(self.present)
    }

    /// Its value in each resample, in the body's unit.
    pub(super) fn replicates(&self) -> &[f64] {
        self.replicates.get_or_init(|| match &self.content {
            Content::Quotient { numerators, denominators } => {
                let quotient = |weights: &[u16]| {
                    let below = weighted(weights, denominators);
                    if below > 0.0 { weighted(weights, numerators) / below } else { f64::NAN }
                };
                self.resampling.resamples().map(quotient).collect()
            }
            Content::Quantile { q, pooled } => pooled.replicates(*q, &self.resampling),
            Content::Share { .. } | Content::Fixed => Vec::new(),
        })
    }

    /// Its share; `None` where it is none, or without trials.
    pub(super) fn share(&self) -> Option<Share> {
        let Content::Share { events, trials } = &self.content else { return None };
        self.share_of(events, trials)
    }

    /// A count by round as a share of its exposure: events beyond their exposure count as all of it. `None` of fewer rounds
    /// than bound anything.
    pub(super) fn count_as_share(&self) -> Option<Share> {
        let Body::Count(rounds) = &self.statistic.body else { return None };
        let of =
            |part: fn(&Trials) -> u64| rounds.iter().map(|r| r.as_ref().map_or(0, part)).collect::<Vec<_>>();
        let (events, trials) = (of(|round| round.events.min(round.trials)), of(|round| round.trials));
        let (n, present) = (trials.iter().sum::<u64>(), rounds.iter().flatten().count());
        let units = &self.resampling.units;
        (n > 0 && units.are_rounds && units.have_intervals(present)).then(|| Share {
            events: events.iter().sum::<u64>() as f64,
            trials: n as f64,
            clustering: units.design_effect(&events, &trials, present),
            nu: present as f64 - 1.0,
        })
    }
}

fn present<T>(seconds: &[Option<T>]) -> impl Iterator<Item = (usize, &T)> {
    seconds.iter().enumerate().filter_map(|(second, of_second)| Some((second, of_second.as_ref()?)))
}

fn weighted(weights: &[u16], terms: &[f64]) -> f64 {
    weights.iter().zip(terms).map(|(weight, term)| f64::from(*weight) * term).sum()
}

#[cfg(test)]
mod tests {
    use super::super::statistic::{Frame, Terms};
    use super::*;

    #[test]
    fn a_share_without_a_bad_trial_has_what_bursts_allow() {
        let resampling =
            Arc::new(Resampling::new(&Frame { seed: 3, window: "w".into(), rounds: 1, seconds: 12 }));
        let of = |events: u64, is_failure| {
            let mut trials = vec![Some(Trials { events, trials: 100 }); 11];
            trials.push(Some(Trials::default()));
            Figure::new(Statistic::share(trials, Vec::new(), is_failure), &resampling).unseen_bad_seconds()
        };
        // The second without trials shows nothing: 1 - 0.05^(1/11).
        let (seconds, share) = of(0, true).expect("none was bad");
        assert!(seconds == 11 && (share - 0.2384).abs() < 1e-4, "{seconds} {share}");
        assert_eq!(of(100, false), of(0, true), "all of them good are none of them bad");
        assert_eq!((of(1, true), of(99, false)), (None, None));
    }

    #[test]
    fn parts_sum_to_their_total_in_every_resample() {
        for (rounds, seconds) in [(1, 12), (4, 3), (7, 2)] {
            let frame = Frame { seed: 3, window: "steady".into(), rounds, seconds };
            let resampling = Arc::new(Resampling::new(&frame));
            // Nanoseconds of three parts, as uneven as may be, over journeys.
            let of = |part: u64| {
                let unit = |second: u64| (second * 7_919 + part * 104_729) % 9_973 * 1_000_003;
                let journeys = |second: u64| (second % 5 + 1) as f64;
                let terms = (0..frame.units() as u64).map(|second| {
                    Some(Terms { numerator: unit(second) as f64, denominator: journeys(second) })
                });
                Statistic::quotient(terms.collect(), 36, 1e-9)
            };
            let parts = [1, 2, 3].map(|part| Figure::new(of(part), &resampling));
            let sums = |figure: &Figure| -> Vec<f64> {
                let Content::Quotient { numerators, .. } = &figure.content else { return Vec::new() };
                resampling.resamples().map(|weights| weighted(weights, numerators)).collect()
            };
            let mut total = of(1);
            let Body::Quotient(units) = &mut total.body else { return };
            for part in [2, 3] {
                let Body::Quotient(others) = of(part).body else { return };
                for (unit, other) in units.iter_mut().flatten().zip(others.iter().flatten()) {
                    unit.numerator += other.numerator;
                }
            }
            let total = sums(&Figure::new(total, &resampling));
            let [a, b, c] = parts.map(|part| sums(&part));
            assert!(!total.is_empty());
            for (((a, b), c), total) in a.iter().zip(&b).zip(&c).zip(&total) {
                assert_eq!(a + b + c, *total, "to the nanosecond");
            }
        }
    }
}
