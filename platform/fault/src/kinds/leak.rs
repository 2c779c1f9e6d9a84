//! `leak`: every call leaves some memory behind.

use std::fmt;

use policy::units::ByteSize;
use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{Place, Verdict};

/// Touched page by page, or it would not be there. It stays until the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// Bytes a call leaves behind.
    size: ByteSize,
}

impl Kind for Leak {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["size"];
    const ON: &'static [Place] = &[Place::Node];
    const HAS_SIZE: bool = true;

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.leaked += (self.size.get() as f64 * hit.strength) as u64;
        hit.wave
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leak {} a call", self.size)
    }
}
