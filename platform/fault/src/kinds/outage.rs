//! `outage`: a part of the platform stands still.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Deed, Place, Standing, Target};

/// Of the delivery of events nothing is lost: it is delivered when the outage ends. The registry and
/// the gateway are stopped where they stand: connections are accepted, and nothing is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {}

impl Kind for Outage {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Broker, Place::Registry, Place::Node];

    fn carried_on(place: Place) -> Carried {
        if place == Place::Broker { Self::CARRIED } else { Carried::Conductor }
    }

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        standing.mute = true;
    }

    fn deed(&self) -> Option<Deed> {
        Some(Deed::Pause)
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stands still")
    }
}
