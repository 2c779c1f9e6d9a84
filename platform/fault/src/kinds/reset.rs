//! `reset`: the connection is reset after the call was sent.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{End, Place, Verdict};

/// The caller cannot know whether it happened; the callee never saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {}

impl Kind for Reset {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Edge];

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.end = Some(End::Reset);
        hit.wave
    }
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reset")
    }
}
