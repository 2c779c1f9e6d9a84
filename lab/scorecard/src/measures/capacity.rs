//! `capacity(journey 50ms)`: between which rates lies the highest that is carried with at most one arrival in a hundred
//! late, failed or dropped. Each measured phase is a rung of a ladder, whatever the window.

use model::Window;
use record::Better;

use crate::expect::Parameter;
use crate::inference::capacity::{Rung, bracket};
use crate::inference::{Statistic, Trials};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

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

/// The rates that were offered, rising, each with its phase.
pub(crate) fn rungs(of: &Selection<'_>) -> Vec<(String, Rung)> {
    let measured = of.run.header.phases.iter().filter(|phase| phase.measure);
    let rung = |name: &String| Some((name.clone(), rung(&of.within(&Window::Phase(name.clone())))?));
    let mut rungs: Vec<(String, Rung)> = measured.filter_map(|phase| rung(&phase.name)).collect();
    rungs.sort_by(|(_, one), (_, other)| one.rate.total_cmp(&other.rate));
    rungs
}

/// The seconds of one phase, of all rounds; `None` where nothing was due in it.
fn rung(phase: &Selection<'_>) -> Option<Rung> {
    let limit_us = phase.argument.time_us();
    let arrivals: Vec<_> = phase.by_unit(|unit| Some(unit.arrivals())).into_iter().flatten().collect();
    let bad: Vec<Trials> = arrivals
        .iter()
        .map(|unit| Trials { events: unit.waits.above(limit_us) + unit.censored, trials: unit.len() })
        .collect();
    let due: u64 = bad.iter().map(|second| second.trials).sum();
    let rate = due as f64 / phase.length_s();
    (due > 0).then_some(Rung { rate, bad, arrivals })
}
