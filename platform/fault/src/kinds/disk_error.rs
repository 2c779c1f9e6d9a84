//! `disk-error`: every operation of a database fails.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{TargetKind, ActiveFaults, Target};

/// EIO: reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskError {}

impl FaultKind for DiskError {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const COUNTS_HITS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Store];

    fn activate(&self, _: Target, _: f64, active: &mut ActiveFaults) {
        active.disk.broken = true;
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disk-error")
    }
}
