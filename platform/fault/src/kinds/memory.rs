//! `memory`: a process may not grow beyond a limit.

use std::fmt;

use policy::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, above};
use crate::{ProcessFault, TargetKind};

/// RLIMIT_DATA of the running process: beyond it an allocation fails and the process aborts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Data it may have.
    limit: ByteSize,
}

/// Below this a process has no room to report what it lacks.
const MIN_LIMIT: ByteSize = ByteSize::new(1 << 20);
/// More than a process of a suite can fill on the machines that it runs on, so that it limits nothing.
const MAX_LIMIT: ByteSize = ByteSize::new(64 << 30);

impl FaultKind for Memory {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["limit"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Memory(self.limit))
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_too_small = self.limit < MIN_LIMIT;
        let sentence = || format!("limit: {} are less than a process needs to end; write at least {MIN_LIMIT}", self.limit);
        is_too_small.then(sentence).into_iter().chain(above("limit", self.limit, MAX_LIMIT, "")).collect()
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit memory to {}", self.limit)
    }
}
