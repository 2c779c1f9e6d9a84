//! `hang`: a call is never answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{End, Place, Verdict};

/// Never answers, and keeps whatever slot the call holds until its caller gives up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hang {}

impl Kind for Hang {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Edge, Place::Node];

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.end = Some(End::Hang);
        hit.wave
    }
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hang")
    }
}
