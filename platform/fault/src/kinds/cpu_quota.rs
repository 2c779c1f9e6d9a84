//! `cpu-quota`: the kernel leaves a process a part of a core.

use std::fmt;

use policy::units::Ratio;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ProcessFault, TargetKind};

/// By control group, where the machine allows one; `cleave doctor` reports whether it does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuQuota {
    /// Share of one core.
    quota: Ratio,
}

/// The least the kernel's control groups give: 1 ms of every 100.
const MIN_QUOTA: f64 = 0.01;

impl FaultKind for CpuQuota {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["quota"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::CpuQuota(self.quota.get()))
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_too_small = self.quota.get() < MIN_QUOTA;
        is_too_small.then(|| format!("quota: {} of a core is out of range; write 1% to 100%", self.quota)).into_iter().collect()
    }
}

impl fmt::Display for CpuQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leave {} of a core", self.quota)
    }
}
