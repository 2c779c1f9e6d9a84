//! A scorecard of seventeen rows on generator Q, and the statistics of its rows.

use std::sync::Arc;

use record::Latencies;
use record::histogram::recorder;
use scorecard::inference::{
    Arrivals, Body, Candidate, Conditions, Figure, Margin, Resampling, Statistic, Terms, Trials, contrast,
    estimate,
};

use super::queue::Round;
use super::random::Random;

/// Parts of CPU and of time.
const PARTS: [f64; 5] = [0.35, 0.25, 0.2, 0.15, 0.05];
/// Share of arrivals that fail.
const ERRORS: f64 = 0.005;
/// As far as was waited.
const BOUND_US: u64 = 10_000_000;

/// Arrivals of each second, round by round.
pub(super) fn arrivals(rounds: &[Round]) -> Vec<Option<Arrivals>> {
    let mut histogram = recorder();
    let mut of_second = |latencies: &Vec<u64>| {
        histogram.reset();
        for us in latencies {
            histogram.saturating_record((*us).max(1));
        }
        Some(Arrivals { waits: Latencies::of(&histogram), censored: 0 })
    };
    rounds.iter().flat_map(|round| &round.latencies_us).map(&mut of_second).collect()
}

pub(super) fn quantile(q: f64, arrivals: &[Option<Arrivals>]) -> Statistic {
    Statistic::quantile(q, arrivals.to_vec(), BOUND_US)
}

fn quotient(units: Vec<Option<Terms>>, scale: f64) -> Statistic {
    let n = units.iter().flatten().map(|unit| unit.denominator as u64).sum();
    Statistic::quotient(units, n, scale)
}

/// CPU per journey, seconds.
pub(super) fn cpu(rounds: &[Round]) -> Statistic {
    let units = rounds.iter().flat_map(|round| round.cpu_ns.iter().zip(&round.finished));
    let term = |(ns, n): (&u64, &u64)| Some(Terms { numerator: *ns as f64, denominator: *n as f64 });
    quotient(units.map(term).collect(), 1e-9)
}

/// Mean latency, seconds.
pub(super) fn mean(rounds: &[Round]) -> Statistic {
    let units = rounds.iter().flat_map(|round| &round.latencies_us);
    let term = |latencies: &Vec<u64>| {
        Some(Terms { numerator: latencies.iter().sum::<u64>() as f64, denominator: latencies.len() as f64 })
    };
    quotient(units.map(term).collect(), 1e-6).nominal()
}

/// Share of arrivals within a limit.
pub(super) fn goodput(rounds: &[Round], within_us: u64, arrivals: &[Option<Arrivals>]) -> Statistic {
    let trial = |latencies: &Vec<u64>| {
        let events = latencies.iter().filter(|us| **us <= within_us).count() as u64;
        Some(Trials { events, trials: latencies.len() as u64 })
    };
    let trials = rounds.iter().flat_map(|round| &round.latencies_us).map(trial).collect();
    Statistic::share(trials, arrivals.to_vec(), false)
}

/// Failures one by one.
fn errors(rounds: &[Round], arrivals: &[Option<Arrivals>], random: &mut Random) -> Statistic {
    let mut trial = |latencies: &Vec<u64>| {
        let trials = latencies.len() as u64;
        Some(Trials { events: random.binomial(trials, ERRORS), trials })
    };
    let trials = rounds.iter().flat_map(|round| &round.latencies_us).map(&mut trial).collect();
    Statistic::share(trials, arrivals.to_vec(), true)
}

/// A total's five parts: each second's split anew, whole units, so that they sum to it.
pub(super) fn parts(total: &Statistic, random: &mut Random) -> Vec<Statistic> {
    let Body::Quotient(units) = &total.body else { return Vec::new() };
    let mut parts = vec![Vec::with_capacity(units.len()); PARTS.len()];
    for unit in units {
        let Terms { numerator, denominator } = unit.expect("all present");
        let weights = PARTS.map(|part| part * random.gamma(0.3));
        let sum: f64 = weights.iter().sum();
        let mut left = numerator;
        for (index, part) in parts.iter_mut().enumerate() {
            let is_last = index + 1 == PARTS.len();
            let own = if is_last { left } else { (numerator * weights[index] / sum).floor() };
            left -= own;
            part.push(Some(Terms { numerator: own, denominator }));
        }
    }
    parts.into_iter().map(|units| quotient(units, total.scale)).collect()
}

/// Rows that depend on starts, in the order of a card.
pub(super) const MAIN: usize = 5;
/// Their indices; the mean is last.
pub(super) const CPU: usize = 0;
pub(super) const P50: usize = 1;
pub(super) const P90: usize = 2;
pub(super) const P99: usize = 3;
const MEAN: usize = 4;

/// How rows of a card are compared.
pub(super) struct Comparison<'a> {
    /// What is good, microseconds.
    pub(super) within_us: u64,
    /// Of the main rows.
    pub(super) conditions: [Conditions<'a>; MAIN],
}

/// Compares seventeen rows: the main ones, goodput, errors, and five parts of CPU and of time each.
pub(super) fn compare(
    arms: &[Vec<Round>; 2],
    resampling: &Arc<Resampling>,
    comparison: &Comparison<'_>,
    random: &mut Random,
) -> Vec<Candidate> {
    let arrivals = [0, 1].map(|arm| arrivals(&arms[arm]));
    let figures = |statistics: [Statistic; 2]| statistics.map(|statistic| Figure::new(statistic, resampling));
    let of_arms = |of: &dyn Fn(usize) -> Statistic| figures([of(0), of(1)]);
    let main = [
        of_arms(&|arm| cpu(&arms[arm])),
        of_arms(&|arm| quantile(0.5, &arrivals[arm])),
        of_arms(&|arm| quantile(0.9, &arrivals[arm])),
        of_arms(&|arm| quantile(0.99, &arrivals[arm])),
        of_arms(&|arm| mean(&arms[arm])),
    ];
    let mut rows: Vec<Candidate> = main
        .iter()
        .zip(&comparison.conditions)
        .map(|([base, other], conditions)| contrast(base, other, conditions))
        .collect();
    let of_shares =
        Conditions { margin: Margin::Absolute(0.005), depends_on_start: false, ..comparison.conditions[CPU] };
    let [base, other] = of_arms(&|arm| goodput(&arms[arm], comparison.within_us, &arrivals[arm]));
    rows.push(contrast(&base, &other, &of_shares));
    let [base, other] = figures([0, 1].map(|arm| errors(&arms[arm], &arrivals[arm], random)));
    rows.push(contrast(&base, &other, &of_shares));
    for total in [CPU, MEAN] {
        let [base, other] = &main[total];
        let margin = Margin::Absolute(0.05 * estimate(base).value.expect("measured"));
        let conditions = Conditions { margin, is_part: true, ..comparison.conditions[total] };
        let [bases, others] = [base, other].map(|figure| parts(figure.statistic(), random));
        for (base, other) in bases.into_iter().zip(others) {
            let [base, other] = figures([base, other]);
            rows.push(contrast(&base, &other, &conditions));
        }
    }
    rows
}
