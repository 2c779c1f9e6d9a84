//! `disk-slow`: every operation of a database takes longer.

use std::fmt;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, MAX_WAIT, above};
use crate::{TargetKind, ActiveFaults, Target};

/// Delays of several leases add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskSlow {
    /// By so much.
    by: HumanDuration,
}

impl FaultKind for DiskSlow {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const COUNTS_HITS: bool = true;
    const FIELDS: &'static [&'static str] = &["by"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Store];
    const HAS_SIZE: bool = true;

    fn activate(&self, _: Target, strength: f64, active: &mut ActiveFaults) {
        active.disk.slow += self.by.duration().mul_f64(strength);
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_nothing = self.by == HumanDuration::default();
        let nothing = is_nothing.then(|| "by: 0s slows nothing; write more, e.g. \"20ms\"".to_owned());
        nothing.into_iter().chain(above("by", self.by, MAX_WAIT, "")).collect()
    }
}

impl fmt::Display for DiskSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow disk, {} an operation", self.by)
    }
}
