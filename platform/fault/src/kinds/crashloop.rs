//! `crashloop`: a process dies again and again.

use std::fmt;

use policy::units::HumanDuration;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Deed, Place};

/// Killed every so often, brought back as the topology says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crashloop {
    /// Time between deaths.
    period: HumanDuration,
}

impl Kind for Crashloop {
    const CARRIED: Carried = Carried::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["period"];
    const ON: &'static [Place] = &[Place::Node];

    fn deed(&self) -> Option<Deed> {
        Some(Deed::Crashloop(self.period))
    }
}

impl fmt::Display for Crashloop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crash every {}", self.period)
    }
}
