//! `duplicate`: a call is sent twice.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{Place, Verdict};

/// Both arrive; the second answer is thrown away. Tests that a repeat has one effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {}

impl Kind for Duplicate {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Edge];

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.twice = true;
        hit.wave
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("send twice")
    }
}
