//! `restart`: a process leaves in order and comes back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ProcessFault, TargetKind};

/// One-shot. In a monolith the whole application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {}

impl FaultKind for Restart {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node, TargetKind::Registry, TargetKind::Server];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Restart)
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("restart")
    }
}
