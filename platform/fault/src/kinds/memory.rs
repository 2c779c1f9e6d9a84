//! `memory`: a process may not grow beyond a limit.

use std::fmt;

use policy::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ProcessFault, TargetKind};

/// RLIMIT_DATA of the running process: beyond it an allocation fails and the process aborts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Data it may have.
    limit: ByteSize,
}

impl FaultKind for Memory {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["limit"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Memory(self.limit))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit memory to {}", self.limit)
    }
}
