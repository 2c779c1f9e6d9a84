//! `slow`: a component's work takes many times longer.

use std::fmt;

use policy::units::Factor;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::Verdict;

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
    const CARRIED: Carried = Carried::Inside;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["by"];

    fn apply(&self, _: crate::matching::Dice, verdict: &mut Verdict) {
        verdict.slow *= self.by.get();
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow by {}", self.by)
    }
}
