//! `availability(journey)`: the share of offered journeys answered ok, in time or not.

use record::Better;

use super::errors::ERRORS;
use crate::measure::Measure;

/// Ok over offered.
pub const AVAILABILITY: Measure = Measure {
    name: "availability",
    meaning: "share of offered journeys answered ok",
    better: Better::Higher,
    statistic: |of| of.share_of_journeys(false, |window| window.ok),
    ..ERRORS
};
