//! `clock`: a process has the wrong time.

use std::fmt;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{TargetKind, ActiveFaults, Target};

/// The wall clock only: timeouts and leases count by the monotonic one, which is never shifted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Ahead by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ahead: Option<HumanDuration>,
    /// Behind by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<HumanDuration>,
}

impl FaultKind for Clock {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["ahead", "behind"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];
    const HAS_SIZE: bool = true;

    fn activate(&self, _: Target, strength: f64, active: &mut ActiveFaults) {
        let ms = |span: Option<HumanDuration>| span.map_or(0, |span| span.duration().as_millis() as i64);
        active.clock_ms += ((ms(self.ahead) - ms(self.behind)) as f64 * strength) as i64;
    }

    fn diagnostics(&self) -> Vec<String> {
        let given = [self.ahead, self.behind].into_iter().flatten();
        let is_shifted = given.clone().count() == 1 && given.clone().all(|by| by > HumanDuration::default());
        let sentence = "ahead: a clock goes wrong one way; write either ahead = \"2m\" or behind = \"2m\"";
        (!is_shifted).then(|| sentence.to_owned()).into_iter().collect()
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ahead, self.behind) {
            (Some(ahead), _) => write!(f, "clock {ahead} ahead"),
            (None, behind) => write!(f, "clock {} behind", behind.unwrap_or_default()),
        }
    }
}
