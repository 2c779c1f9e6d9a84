//! `recovery(journey)`: from the end of the last fault, or of the last phase that is overloaded on purpose, to the end of the
//! last bad second before three good ones. One event a round, whatever the window.

use crate::expect::Parameter;
use crate::inference::recovery::{Recovery, recovery};
use crate::inference::{Statistic, Trials};
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;

/// Goodput before the faults or the overload is that of so many seconds before the first.
const BEFORE_SECONDS: u32 = 10;

/// Seconds until goodput is back.
pub const RECOVERY: Measure = Measure {
    name: "recovery",
    parameter: Parameter::Journey,
    meaning: "from the end of the last fault, or of the last phase of `overloaded`, to the end of the last second with too few \
              good journeys before three that have enough",
    unit: Unit::Time,
    properties: &[Property::OwnWindow],
    statistic: of_rounds,
    notes: relapses,
    rows: &[Row {
        id: "recovery",
        name: "recovery",
        claim: Claim::Isolation,
        text: "recovery: from the last fault's end to 95 % goodput",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
    }],
    ..Measure::DEFAULT
};

fn of_rounds(of: &Selection<'_>) -> Statistic {
    let rounds = of.within(&model::Window::Whole).by_round(of_round);
    let n = rounds.iter().flatten().map(|(_, arrivals)| arrivals).sum();
    let judged = |(found, _): (Recovery, u64)| found.is_judged.then_some(found.seconds);
    Statistic::event(rounds.into_iter().map(|round| round.and_then(judged)).collect()).of_samples(n)
}

/// That goodput was not back while it was watched, or when it was bad again after it was back, round by round.
fn relapses(of: &Selection<'_>) -> Vec<String> {
    let rounds = of.within(&model::Window::Whole).by_round(of_round);
    let is_one = rounds.len() == 1;
    let of_round = |(index, found): (usize, Option<(Recovery, u64)>)| {
        let round = if is_one { String::new() } else { format!(" in round {}", index + 1) };
        let judged = found.map(|(found, _)| found).filter(|found| found.is_judged);
        let watched = judged.as_ref().filter(|found| found.seconds.is_censored);
        let never = watched.map(|found| {
            format!("goodput was not back in the {:.0} s watched after the fault{round}", found.seconds.value)
        });
        let relapses = judged.map(|found| found.relapses).unwrap_or_default();
        let sentence =
            move |(from, to)| format!("goodput was bad again from {from}s to {to}s after the fault{round}");
        never.into_iter().chain(relapses.into_iter().map(sentence))
    };
    rounds.into_iter().enumerate().flat_map(of_round).collect()
}

/// How goodput came back in one round, and the arrivals that show it; `None` without a fault.
fn of_round(round: &Selection<'_>) -> Option<(Recovery, u64)> {
    let first = round.run.disturbances().map(|seconds| seconds.start).min()?;
    let last = round.run.disturbances().map(|seconds| seconds.end).max()?;
    let good = |from: u32, to: u32| {
        let due = round.of_seconds(from..to);
        Trials { events: due.sum(|window| window.good), trials: due.sum(|window| window.offered) }
    };
    let after: Vec<Trials> = (last..round.seconds().end).map(|second| good(second, second + 1)).collect();
    let found = recovery(&after, good(first.saturating_sub(BEFORE_SECONDS), first));
    Some((found, after.iter().map(|second| second.trials).sum()))
}
