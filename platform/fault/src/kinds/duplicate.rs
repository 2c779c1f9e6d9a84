//! `duplicate`: a call is sent twice.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind};
use crate::{TargetKind, CallFault};

/// Both arrive; the second answer is thrown away. Tests that a repeat has one effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {}

impl FaultKind for Duplicate {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge];

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.duplicated = true;
        hit.previous_draw
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("send twice")
    }
}
