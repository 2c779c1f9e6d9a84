//! `pause`: a process stands still, by SIGSTOP, like one in a long collection of garbage.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ProcessFault, TargetKind};

/// Connections are still accepted by the kernel; nothing is answered. Pauses
/// count: the process goes on when the last lease ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

impl FaultKind for Pause {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node, TargetKind::Registry, TargetKind::Server];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Pause)
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pause")
    }
}
