//! `hang`: a call is never answered.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind};
use crate::{End, TargetKind, CallFault};

/// Never answers, and keeps whatever slot the call holds until its caller gives up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hang {}

impl FaultKind for Hang {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge, TargetKind::Node];

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.end = Some(End::Hang);
        hit.previous_draw
    }
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hang")
    }
}
