//! `errors(journey)`: the share of offered journeys not answered ok; `availability(journey)` is the rest.

use record::Better;

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

/// Ok over offered.
pub const AVAILABILITY: Measure = Measure {
    name: "availability",
    meaning: "share of offered journeys answered ok",
    better: Better::Higher,
    value: |of| of.share(|window| window.ok),
    ..ERRORS
};
