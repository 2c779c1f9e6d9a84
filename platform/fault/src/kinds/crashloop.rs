//! `crashloop`: a process dies again and again.

use std::fmt;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ProcessFault, TargetKind};

/// Killed every so often, restarted as the topology declares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crashloop {
    /// Time between deaths.
    period: HumanDuration,
}

impl FaultKind for Crashloop {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["period"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Crashloop(self.period))
    }
}

impl fmt::Display for Crashloop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crash every {}", self.period)
    }
}
