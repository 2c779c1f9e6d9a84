//! `disk-error`: every operation of a database fails.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// EIO: reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskError {}

impl Kind for DiskError {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const STRIKES: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Store];

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        standing.disk.broken = true;
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disk-error")
    }
}
