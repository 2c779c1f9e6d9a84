//! `errors(journey)`: the share of offered journeys not answered ok.

use model::journeys;

use crate::expect::Parameter;
use crate::measure::{Measure, Property, Unit};

/// Not ok over offered.
pub const ERRORS: Measure = Measure {
    name: "errors",
    parameter: Parameter::Journey,
    meaning: "share of offered journeys not answered ok",
    unit: Unit::Share,
    properties: &[Property::Cumulative],
    statistic: |of| of.share_of_journeys(true, journeys::failed),
    ..Measure::DEFAULT
};
