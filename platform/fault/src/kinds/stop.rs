//! `stop`: a process is asked to leave, and killed if it does not.

use std::fmt;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ProcessFault, TargetKind};

/// One-shot: SIGTERM's manners, by the control port.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Time it has to drain.
    #[serde(default = "within")]
    within: HumanDuration,
}

const fn within() -> HumanDuration {
    HumanDuration::from_millis(3_000)
}

/// Ten minutes: a third of the longest run.
const MAX_WITHIN: HumanDuration = HumanDuration::from_millis(600_000);

impl FaultKind for Stop {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &["within"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node, TargetKind::Registry, TargetKind::Server];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Stop(self.within))
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_too_long = self.within > MAX_WITHIN;
        is_too_long.then(|| format!("within: {} is out of range; write at most {MAX_WITHIN}", self.within)).into_iter().collect()
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stop within {}", self.within)
    }
}
