//! `poison`: an event makes its consumer panic.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{TargetKind, ActiveFaults, Target};

/// Again and again, unless it is set aside after some tries: `dead_letters = true`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poison {
    /// Whether a poisonous event is set aside.
    #[serde(default)]
    dead_letters: bool,
}

impl FaultKind for Poison {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const COUNTS_HITS: bool = true;
    const ACTS_ON_EVENTS: bool = true;
    const FIELDS: &'static [&'static str] = &["dead_letters"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn activate(&self, target: Target, _: f64, active: &mut ActiveFaults) {
        active.poisoned.extend(target.component());
        active.dead_letters |= self.dead_letters;
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("poisonous events")
    }
}
