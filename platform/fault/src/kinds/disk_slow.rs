//! `disk-slow`: every operation of a database takes longer.

use std::fmt;

use policy::units::HumanDuration;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// Delays of several leases add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSlow {
    /// By so much.
    by: HumanDuration,
}

impl Kind for DiskSlow {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const STRIKES: bool = true;
    const FIELDS: &'static [&'static str] = &["by"];
    const ON: &'static [Place] = &[Place::Store];
    const HAS_SIZE: bool = true;

    fn stand(&self, _: Target, strength: f64, standing: &mut Standing) {
        standing.disk.slow += self.by.duration().mul_f64(strength);
    }
}

impl fmt::Display for DiskSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow disk, {} an operation", self.by)
    }
}
