//! `disk-full`: the disk of a database, or of the broker, has no space left.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ActiveFaults, ProcessFault, Target, TargetKind};

/// Writes fail; reads go on. A broker needs space and a restart to serve its streams again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskFull {}

impl FaultKind for DiskFull {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const COUNTS_HITS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Store, TargetKind::Server];

    fn actuator_on(target: TargetKind) -> Actuator {
        if target == TargetKind::Server { Actuator::Conductor } else { Self::ACTUATOR }
    }

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::DiskFull)
    }

    fn activate(&self, _: Target, _: f64, active: &mut ActiveFaults) {
        active.disk.full = true;
    }
}

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disk-full")
    }
}
