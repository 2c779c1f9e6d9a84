//! `crashloop`: a process dies again and again.

use std::fmt;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, MAX_LENGTH, above};
use crate::{ProcessFault, TargetKind};

/// Killed every so often, restarted as the topology declares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crashloop {
    /// Time between deaths.
    period: HumanDuration,
}

/// A process is killed once between two starts: fewer milliseconds would be a loop of signals.
const MIN_PERIOD: HumanDuration = HumanDuration::from_millis(100);

impl FaultKind for Crashloop {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["period"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Crashloop(self.period))
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_too_short = self.period < MIN_PERIOD;
        let sentence = || format!("period: {} is shorter than a process takes to start; write at least {MIN_PERIOD}", self.period);
        is_too_short.then(sentence).into_iter().chain(above("period", self.period, MAX_LENGTH, "")).collect()
    }
}

impl fmt::Display for Crashloop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crash every {}", self.period)
    }
}
