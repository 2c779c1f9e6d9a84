//! `chatty`: calls for many are made one by one.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{TargetKind, ActiveFaults, Target};

/// N+1: nanoseconds in one process, milliseconds on the wire. On the component that is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chatty {}

impl FaultKind for Chatty {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const COUNTS_HITS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];
    const CALLER_SIDE: bool = true;

    fn activate(&self, target: Target, _: f64, active: &mut ActiveFaults) {
        active.chatty.extend(target.component());
    }
}

impl fmt::Display for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("asked one by one")
    }
}
