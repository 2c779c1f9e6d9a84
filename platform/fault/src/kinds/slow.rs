//! `slow`: a component's work takes many times longer.

use std::fmt;

use policy::units::Factor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind, above};
use crate::{TargetKind, CallFault};

/// Multiplies the work of the component. `delay` adds on an edge, `slow` multiplies
/// in the callee. Factors of several leases multiply.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    by: Factor,
}

impl Slow {
    /// So many times longer.
    pub const fn by(by: Factor) -> Self {
        Self { by }
    }
}

/// Work of a millisecond then takes a second.
const MAX_TIMES: Factor = Factor::new(1_000.0);

impl FaultKind for Slow {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["by"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];
    const HAS_SIZE: bool = true;

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.slow *= 1.0 + (self.by.get() - 1.0) * hit.strength;
        hit.previous_draw
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_nothing = self.by.get() <= 1.0;
        let nothing = is_nothing.then(|| format!("by: {} slows nothing; write more, e.g. \"10x\"", self.by));
        nothing.into_iter().chain(above("by", self.by, MAX_TIMES, ", or do = \"hang\"")).collect()
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow by {}", self.by)
    }
}
