//! `errors(journey)`: the share of offered journeys not answered ok.

use crate::expect::Parameter;
use crate::measure::{MIN_SHARE, Measure, Property, Unit};

/// Not ok over offered.
pub const ERRORS: Measure = Measure {
    name: "errors",
    parameter: Parameter::Journey,
    meaning: "share of offered journeys not answered ok",
    unit: Unit::Share,
    min_samples: MIN_SHARE,
    properties: &[Property::Cumulative],
    value: |of| of.share(|window| window.offered.saturating_sub(window.ok)),
    ..Measure::DEFAULT
};
