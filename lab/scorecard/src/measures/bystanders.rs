//! Bystanders are journeys that do not need what a step hits. They are hurt by failing, [`blast_radius`](super::blast_radius),
//! and by being slowed: `bystander_p99(step id)`, `bystander_slower(step id)`, from the step to the end of its phase.

use model::SECOND;

use super::blast_radius::{MIN_BYSTANDERS, is_bystander};
use crate::expect::Parameter;
use crate::inference::{Arrivals, Once, Statistic, quantile};
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Measure, Row, RowWindow, SHARE_MARGIN, Unit};
use crate::selection::{Selection, phase_of, steady};

/// Their 99th percentile.
pub const BYSTANDER_P99: Measure = Measure {
    name: "bystander_p99",
    parameter: Parameter::Step,
    meaning: "p99 of the journeys that do not need what the step hits, as it was from the step to the end of its phase, \
              failed ones above every value",
    unit: Unit::Time,
    statistic: p99_after,
    rows: &[Row {
        id: "bystander_p99",
        name: "bystanders p99",
        claim: Claim::Isolation,
        text: "p99 of bystanders of {step} (journeys that do not need {hits})",
        window: RowWindow::EachStep,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// How many of them were slowed.
pub const BYSTANDER_SLOWER: Measure = Measure {
    name: "bystander_slower",
    parameter: Parameter::Step,
    meaning: "share of the same journeys slower than twice their own p99 in the steady phase of the same arm, failed ones \
              included",
    unit: Unit::Share,
    statistic: slower_after,
    rows: &[Row {
        id: "bystander_slower",
        name: "bystanders slowed",
        claim: Claim::Isolation,
        text: "bystanders of {step} slower than twice their steady p99 (journeys that do not need {hits})",
        window: RowWindow::EachStep,
        comparison: Comparison::Difference(SHARE_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// Arrivals from which a percentile of one event is given at all: below, it is the longest wait.
const MIN_ARRIVALS: u64 = 100;
/// Arrivals from which it decides anything: ten lie beyond it.
const MIN_ARRIVALS_TO_JUDGE: u64 = 1_000;
/// How much slower than usual is slowed.
const SLOWED: u64 = 2;

fn p99_after(of: &Selection<'_>) -> Statistic {
    let rounds = of.by_round(after_step);
    let n = rounds.iter().flatten().map(Arrivals::len).sum();
    let bound_us = of.longest_wait_us();
    let p99 = |arrivals: &Option<Arrivals>| p99(arrivals.as_ref()?, bound_us);
    let p99 = Statistic::event(rounds.iter().map(p99).collect());
    p99.of_samples(n).needing(MIN_ARRIVALS_TO_JUDGE).scaled(1e-6)
}

fn slower_after(of: &Selection<'_>) -> Statistic {
    let usual = steady(of.run);
    let of_round = |round: &Selection<'_>| {
        let before = round.of_seconds(round.run.whole(&usual).seconds);
        let p99 = p99(&bystanders(&before)?, round.longest_wait_us()).filter(|p99| !p99.is_censored)?;
        let after = after_step(round)?;
        let slower = after.waits.above(SLOWED * p99.value as u64) + after.censored;
        (*round.window != usual && !after.is_empty()).then(|| (slower, after.len()))
    };
    let slowed: Vec<Option<(u64, u64)>> = of.by_round(of_round);
    let n = slowed.iter().flatten().map(|(_, all)| all).sum();
    let share = |(slowed, all): (u64, u64)| Once::of(slowed as f64 / all as f64);
    let shares = slowed.into_iter().map(|round| round.map(share)).collect();
    Statistic::event(shares).of_samples(n).needing(MIN_BYSTANDERS)
}

/// The 99th percentile, microseconds; `None` with too few arrivals.
fn p99(arrivals: &Arrivals, bound_us: u64) -> Option<Once> {
    quantile(std::iter::once(arrivals), 0.99, bound_us).filter(|_| arrivals.len() >= MIN_ARRIVALS)
}

/// Bystanders from the step on, in a round of its phase.
fn after_step(of: &Selection<'_>) -> Option<Arrivals> {
    let (step, phase) = of.step().and_then(|step| Some((step, phase_of(&of.run.header, step)?)))?;
    let second = |ns: u64| u32::try_from(ns / SECOND).unwrap_or(0);
    bystanders(&of.of_seconds(second(step.start_ns)..second(phase.start_ns + phase.length_ns)))
}

/// Arrivals of the journeys that do not need what the step hits.
fn bystanders(of: &Selection<'_>) -> Option<Arrivals> {
    let step = of.step()?;
    let mut arrivals = Arrivals::default();
    for window in of.windows(|journey| is_bystander(&of.run.header, step, journey)) {
        arrivals.waits.merge(&window.intended);
        arrivals.censored += model::journeys::failed(window);
    }
    Some(arrivals)
}
