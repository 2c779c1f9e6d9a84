//! `kill`: a process dies at once, by SIGKILL.

use std::fmt;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, MAX_LENGTH, above};
use crate::{ProcessFault, TargetKind};

/// One-shot. In a monolith it takes everything along; works on a paused process, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Brings the process back, whatever the restart policy of the topology is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restore>,
}

/// When a killed process comes back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// Counted from the kill.
    pub after: HumanDuration,
}

impl FaultKind for Kill {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &["restart"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node, TargetKind::Registry, TargetKind::Server];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Kill(self.restart.map(|restore| restore.after)))
    }

    fn diagnostics(&self) -> Vec<String> {
        self.restart.map_or_else(Vec::new, |restart| {
            above("restart", restart.after, MAX_LENGTH, ", or leave `restart` out")
        })
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kill")?;
        self.restart.map_or(Ok(()), |restart| write!(f, ", back after {}", restart.after))
    }
}
