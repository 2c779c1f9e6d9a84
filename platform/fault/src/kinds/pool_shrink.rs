//! `pool-shrink`: a database has few connections to read by.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, out_of_range};
use crate::{TargetKind, ActiveFaults, Target};

/// The smallest limit wins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolShrink {
    /// Connections left.
    to: u32,
}

/// As many as a pool can have: more would shrink nothing.
const MAX_CONNECTIONS: u32 = 64;

impl FaultKind for PoolShrink {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["to"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Store];

    fn activate(&self, _: Target, _: f64, active: &mut ActiveFaults) {
        let limit = active.readers.map_or(self.to, |limit| limit.min(self.to));
        active.readers = Some(limit);
    }

    fn diagnostics(&self) -> Vec<String> {
        out_of_range("to", self.to, 0..=MAX_CONNECTIONS)
    }
}

impl fmt::Display for PoolShrink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool shrinks to {}", self.to)
    }
}
