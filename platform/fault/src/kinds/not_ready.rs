//! `not-ready`: a process says it is not ready.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// Its health endpoint, and so the registry, take it out of rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotReady {}

impl Kind for NotReady {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Node];

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        standing.not_ready = true;
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not-ready")
    }
}
