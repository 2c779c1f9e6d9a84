//! `slow`: a component's work takes many times longer.

use std::fmt;

use policy::units::Factor;
use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{Place, Verdict};

/// Multiplies the work of the component. `delay` adds on an edge, `slow` multiplies
/// in the callee. Factors of several leases multiply.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

impl Kind for Slow {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["by"];
    const ON: &'static [Place] = &[Place::Node];
    const HAS_SIZE: bool = true;

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.slow *= 1.0 + (self.by.get() - 1.0) * hit.strength;
        hit.wave
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow by {}", self.by)
    }
}
