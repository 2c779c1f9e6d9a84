//! `slower(journey 50ms)`: the share of ok journeys slower than that.

use crate::expect::Parameter;
use crate::measure::{MIN_SHARE, Measure, Property, Unit};
use crate::value::proportion;

/// Slower than a limit over ok.
pub const SLOWER: Measure = Measure {
    name: "slower",
    parameter: Parameter::JourneyAndTime,
    meaning: "share of ok journeys slower than that",
    unit: Unit::Share,
    min_samples: MIN_SHARE,
    properties: &[Property::Cumulative, Property::NeedsOpenLoop],
    value: |of| {
        let latencies = of.latencies(|window| &window.intended);
        proportion(latencies.above(of.argument.time_us()), latencies.len())
    },
    ..Measure::DEFAULT
};
