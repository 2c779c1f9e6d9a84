//! Whose latencies are compared, and whether they are the same throughout the window.

use std::sync::Arc;

use model::Run;

use super::claim::{Contender, Doubt, claims, winner_and_loser};
use super::{Circumstances, LintList};
use crate::card::steadiness::{Steadiness, TrendFigure};
use crate::expect::{Argument, Expectation, Side};
use crate::inference::{Figure, Resampling, fail_differently};
use crate::measures::ERRORS;
use crate::selection::{Selection, name_of, steady};

/// What an arm lost in the window of its side.
struct Losses {
    failed: Figure,
    dropped: u64,
    offered: u64,
}

impl Losses {
    fn of(run: &Run, side: Contender<'_>) -> Self {
        let selection = side.query.of(run, side.arm);
        let resampling = Arc::new(Resampling::new(&selection.frame()));
        Self {
            failed: Figure::new((ERRORS.statistic)(&selection), &resampling),
            dropped: selection.sum(|window| window.dropped),
            offered: selection.sum(|window| window.offered),
        }
    }

    fn failed_share(&self) -> f64 {
        self.failed.statistic().seen().value.unwrap_or(0.0)
    }

    fn dropped_share(&self) -> f64 {
        self.dropped as f64 / self.offered.max(1) as f64
    }
}

/// The arm that is claimed to be faster and the other one, where a claim compares latencies.
fn faster_and_slower<'a>(run: &Run, claim: &'a Expectation) -> Option<(Contender<'a>, Contender<'a>)> {
    winner_and_loser(run, claim).filter(|(winner, _)| winner.query.measure.is_latency())
}

/// Failures lie above every latency: the arm that fails more is not flattered by that. It is by what it did not have to
/// answer, so a claim that it is the faster one is not judged.
pub(super) fn unequal_errors(run: &Run, claim: &Expectation) -> Option<Doubt> {
    let (faster, slower) = faster_and_slower(run, claim)?;
    let (one, other) = (Losses::of(run, faster), Losses::of(run, slower));
    let is_unequal = fail_differently(&one.failed, &other.failed);
    (is_unequal && one.failed_share() > other.failed_share())
        .then(|| Doubt { lint: "unequal_errors", reason: failures(run, faster, &one, slower, &other) })
}

fn failures(run: &Run, one: Contender<'_>, of_one: &Losses, two: Contender<'_>, of_two: &Losses) -> String {
    format!(
        "{} failed {} of its journeys in {}, and {} {}",
        run.arm_name(one.arm),
        model::format::percent(Some(of_one.failed_share())),
        name_of(&one.query.window),
        run.arm_name(two.arm),
        model::format::percent(Some(of_two.failed_share()))
    )
}

/// The same of arrivals that were dropped by design.
pub(super) fn drops(run: &Run, claim: &Expectation) -> Option<Doubt> {
    let (faster, slower) = faster_and_slower(run, claim).filter(|_| run.header.drops)?;
    let (one, other) = (Losses::of(run, faster), Losses::of(run, slower));
    (one.dropped_share() > other.dropped_share()).then(|| Doubt {
        lint: "drops",
        reason: format!(
            "{} dropped {} of {} arrivals in {}, and {} {} of {}",
            run.arm_name(faster.arm),
            one.dropped,
            one.offered,
            name_of(&faster.query.window),
            run.arm_name(slower.arm),
            other.dropped,
            other.offered
        ),
    })
}

/// What sets two arms apart has no value where it drifts; a claim holds all the same where the drift is less than what it
/// is decided by.
pub(super) fn not_steady(run: &Run, claim: &Expectation) -> Option<Doubt> {
    let (winner, loser) = winner_and_loser(run, claim)?;
    let (measure, window) = (winner.query.measure, &winner.query.window);
    let is_one_window = *window == loser.query.window && !winner.query.of(run, winner.arm).has_fault();
    let figure = match measure.name {
        _ if measure.is_latency() => TrendFigure::Latency,
        "cpu_per_journey" | "cpu" => TrendFigure::Cpu,
        _ => return None,
    };
    let mut steadiness = Steadiness::new(run);
    let drift = is_one_window
        .then(|| steadiness.drift_of_ratio(window, [loser.arm, winner.arm], figure))
        .flatten()?;
    let distance = distance_to_limit(run, claim);
    distance.is_none_or(|distance| drift.abs() >= distance).then(|| Doubt {
        lint: "not_steady",
        reason: format!(
            "{} of {} over that of {} drifts within {} by a factor of {:.2}",
            figure.words(),
            run.arm_name(winner.arm),
            run.arm_name(loser.arm),
            name_of(window),
            drift.exp()
        ),
    })
}

/// How far a ratio of two arms is from what is claimed of it, as a logarithm.
fn distance_to_limit(run: &Run, claim: &Expectation) -> Option<f64> {
    let value = |side: &Side| match side {
        Side::Measure { factor, query } => {
            let of = query.of(run, *query.arms(run).first()?);
            query.measure.seen(&of).value.map(|value| factor * value)
        }
        Side::Quantity { .. } => None,
    };
    let distance = (value(&claim.left)? / value(&claim.right)?).ln().abs();
    distance.is_finite().then_some(distance)
}

/// What touches no claim: unequal losses that make a claim stronger, drops, an arm that drifts, spans that were lost.
pub(super) fn notes(run: &Run, circumstances: &Circumstances, found: &mut LintList) {
    for claim in claims(run) {
        let Some((faster, slower)) = faster_and_slower(run, &claim) else { continue };
        let (one, other) = (Losses::of(run, faster), Losses::of(run, slower));
        if fail_differently(&one.failed, &other.failed) && other.failed_share() > one.failed_share() {
            let text = failures(run, slower, &other, faster, &one);
            found.add_note(
                "unequal_errors",
                format!("{text}: `{}` holds all the more if it holds", claim.text),
            );
        }
        if one.dropped + other.dropped > 0 {
            let text = format!(
                "{} arrivals were dropped, and count as slower than all",
                one.dropped + other.dropped
            );
            found.add_note("drops", format!("{text}: `{}`", claim.text));
        }
    }
    drift(run, found);
    spans_lost(run, circumstances, found);
}

/// An arm that drifts in the window that undisturbed figures come from: its rows have no finding.
fn drift(run: &Run, found: &mut LintList) {
    let window = steady(run);
    let mut steadiness = Steadiness::new(run);
    let mut drifting = Vec::new();
    for arm in &run.header.arms {
        if Selection::new(run, arm.letter, &window, &Argument::None).has_fault() {
            return;
        }
        for figure in TrendFigure::ALL {
            if let Some(change) = steadiness.drift(&window, arm.letter, figure) {
                drifting.push(format!(
                    "{} of {} by a factor of {:.2}",
                    figure.words(),
                    arm.name,
                    change.exp()
                ));
            }
        }
    }
    if !drifting.is_empty() {
        found.add(
            "drift",
            format!(
                "from the first to the last second of {} there is a change in {}",
                name_of(&window),
                drifting.join(", ")
            ),
        );
    }
}

fn spans_lost(run: &Run, circumstances: &Circumstances, found: &mut LintList) {
    let lost = run.header.arms.iter().filter_map(|arm| {
        let count = run.spans_lost(arm.letter);
        (count > 0).then(|| format!("{}: {count} spans were not taken by the lab", arm.name))
    });
    let mut texts: Vec<String> = lost.collect();
    let overflow = circumstances.tracing.overflow;
    if overflow > 0 {
        texts.push(format!("{overflow} spans were left out: too many requests were open at once"));
    }
    if !texts.is_empty() {
        found.add("spans_lost", texts.join("; "));
    }
}
