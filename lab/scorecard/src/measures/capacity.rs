//! `capacity(journey 50ms)`: the highest rate of a measured phase that kept the limit at its 99th percentile, with
//! 99 % of its journeys good. From whole phases, whatever the window; without an interval.

use model::Window;
use record::{Better, Measured};

use crate::expect::Parameter;
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;
use crate::value::plain;

/// Share of a phase's journeys that must be good.
const MIN_GOOD: f64 = 0.99;

/// Highest rate that was kept.
pub const CAPACITY: Measure = Measure {
    name: "capacity",
    parameter: Parameter::JourneyAndTime,
    meaning: "highest rate of a phase whose p99 was kept and whose journeys were good",
    unit: Unit::Rate,
    better: Better::Higher,
    properties: &[Property::NeedsOpenLoop],
    value: capacity,
    ..Measure::DEFAULT
};

fn capacity(of: &Selection<'_>) -> Measured {
    let mut best = Measured::default();
    for phase in of.run.header.phases.iter().filter(|phase| phase.measure) {
        let window = Window::Phase(phase.name.clone());
        let phase = of.within(&window);
        let (offered, good) = (phase.sum(|window| window.offered), phase.sum(|window| window.good));
        let p99 = phase.latencies(|window| &window.intended).quantile(0.99);
        let is_kept =
            p99.is_some_and(|us| us <= of.argument.time_us()) && good as f64 >= MIN_GOOD * offered as f64;
        let rate = offered as f64 / phase.length_s().max(1.0);
        if is_kept && best.value.is_none_or(|value| rate > value) {
            best = plain(Some(rate), offered);
        }
    }
    // Not even the lowest rate: no capacity at that limit.
    if best.value.is_none() { plain(Some(0.0), 1) } else { best }
}
