//! `slower(journey 50ms)`: the share of journeys slower than that, failed ones included.

use crate::expect::Parameter;
use crate::inference::{Statistic, Trials};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

/// Slower than a limit, over all.
pub const SLOWER: Measure = Measure {
    name: "slower",
    parameter: Parameter::JourneyAndTime,
    meaning: "share of journeys slower than that, failed ones included",
    unit: Unit::Share,
    properties: &[Property::Cumulative, Property::NeedsOpenLoop],
    statistic: slower,
    ..Measure::DEFAULT
};

fn slower(of: &Selection<'_>) -> Statistic {
    let arrivals = of.by_unit(|unit| Some(unit.arrivals()));
    let limit_us = of.argument.time_us();
    let trials = arrivals.iter().map(|unit| {
        unit.as_ref()
            .map(|unit| Trials { events: unit.waits.above(limit_us) + unit.censored, trials: unit.len() })
    });
    Statistic::share(trials.collect(), arrivals, true)
}
