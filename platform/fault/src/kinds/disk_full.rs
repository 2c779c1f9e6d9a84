//! `disk-full`: the disk of a database has no space left.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// Writes fail; reads go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskFull {}

impl Kind for DiskFull {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const STRIKES: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Store];

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        standing.disk.full = true;
    }
}

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disk-full")
    }
}
