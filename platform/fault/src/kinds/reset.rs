//! `reset`: the connection is reset after the call was sent.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind};
use crate::{End, TargetKind, CallFault};

/// The caller cannot know whether it happened; the callee never saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {}

impl FaultKind for Reset {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge];

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.end = Some(End::Reset);
        hit.previous_draw
    }
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reset")
    }
}
