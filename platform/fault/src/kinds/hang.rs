//! `hang`: a call is never answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{End, Verdict};

/// Never answers, and keeps whatever slot the call holds until its caller gives up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hang {}

impl Kind for Hang {
    const CARRIED: Carried = Carried::Inside;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];

    fn apply(&self, _: crate::matching::Dice, verdict: &mut Verdict) {
        verdict.end = Some(End::Hang);
    }
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hang")
    }
}
