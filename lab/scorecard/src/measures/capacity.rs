//! `capacity(journey 50ms)`: between which rates lies the highest that is carried with at most one arrival in a hundred
//! late, failed or dropped. Each measured phase is a rung of a ladder, whatever the window, and so is each further rate that the
//! search went on to.

use model::Window;
use record::{Better, PhasePlan};

use crate::expect::Parameter;
use crate::inference::capacity::{Rung, bracket};
use crate::inference::{Arrivals, Statistic, Trials};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

/// The generator's own lateness at p99 may be a tenth of the limit that arrivals are held to: at more, a late answer may be a
/// late question.
const LIMIT_PER_LAG: u64 = 10;

/// The bracket of the highest rate that is carried.
pub const CAPACITY: Measure = Measure {
    name: "capacity",
    parameter: Parameter::JourneyAndTime,
    meaning: "highest rate carried with 99 % of arrivals within a limit: above the highest phase that held, below the lowest \
              that failed",
    unit: Unit::Rate,
    better: Better::Higher,
    properties: &[Property::OwnWindow, Property::NeedsOpenLoop, Property::NeedsIdleMachine],
    statistic: capacity,
    ..Measure::DEFAULT
};

fn capacity(of: &Selection<'_>) -> Statistic {
    let rungs: Vec<Rung> = rungs(of).into_iter().map(|(_, rung)| rung).collect();
    let found = bracket(&rungs);
    let n = rungs.iter().flat_map(|rung| &rung.bad).map(|second| second.trials).sum();
    Statistic::bracket(found.held, found.failed, n)
}

/// Whether the generator sent the arrivals of a phase when they were due, as far as the limit of its search shows.
pub(crate) fn is_on_schedule(phase: &Selection<'_>) -> bool {
    let mut lag = phase.latencies(|window| &window.pace_lag);
    lag.merge(&phase.latencies(|window| &window.own_wait));
    lag.quantile(0.99).is_none_or(|lag_us| lag_us <= phase.argument.time_us() / LIMIT_PER_LAG)
}

/// The rates that were offered, rising, each with its phase. A further rate that the generator did not send on schedule is
/// none.
pub(crate) fn rungs(of: &Selection<'_>) -> Vec<(String, Rung)> {
    let header = &of.run.header;
    let is_sent = |phase: &&PhasePlan| is_on_schedule(&of.within(&Window::Phase(phase.name.clone())));
    let measured = header.phases.iter().filter(|phase| phase.measure);
    rungs_among(of, measured.chain(header.further.iter().filter(is_sent)))
}

/// The same of some phases, whether or not they were sent on schedule.
pub(crate) fn rungs_among<'a>(
    of: &Selection<'_>,
    phases: impl Iterator<Item = &'a PhasePlan>,
) -> Vec<(String, Rung)> {
    let rung = |name: &String| Some((name.clone(), rung(&of.within(&Window::Phase(name.clone())))?));
    let mut rungs: Vec<(String, Rung)> = phases.filter_map(|phase| rung(&phase.name)).collect();
    rungs.sort_by(|(_, one), (_, other)| one.rate.total_cmp(&other.rate));
    rungs
}

/// The seconds of one phase, of all rounds in which it was offered; `None` where nothing was due in it.
fn rung(phase: &Selection<'_>) -> Option<Rung> {
    let limit_us = phase.argument.time_us();
    let units: Vec<_> = phase.by_unit(|unit| Some(unit.arrivals())).into_iter().flatten().collect();
    let rounds = phase.run.header.rounds.max(1) as usize;
    let each = (units.len() / rounds).max(1);
    let offered: Vec<_> = units.chunks(each).filter(|round| !round.iter().all(Arrivals::is_empty)).collect();
    let length_s = phase.length_s() * offered.len() as f64 / rounds as f64;
    let arrivals = offered.concat();
    let bad: Vec<Trials> = arrivals
        .iter()
        .map(|unit| Trials { events: unit.waits.above(limit_us) + unit.censored, trials: unit.len() })
        .collect();
    let due: u64 = bad.iter().map(|second| second.trials).sum();
    let rate = due as f64 / length_s;
    (due > 0).then_some(Rung { rate, bad, arrivals })
}
