//! `corrupt`: an answer arrives damaged.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{Place, Spoilt, Verdict};

/// `bytes` flips bytes, so that the answer cannot be read; `values` leaves it readable
/// and its numbers wrong, which is worse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// How.
    #[serde(default)]
    mode: Mode,
}

/// How an answer is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Bytes,
    Values,
}

impl Kind for Corrupt {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["mode"];
    const ON: &'static [Place] = &[Place::Edge];

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.spoilt = Some(match self.mode {
            Mode::Bytes => Spoilt::Bytes,
            Mode::Values => Spoilt::Values,
        });
        hit.wave
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            Mode::Bytes => "corrupt bytes",
            Mode::Values => "corrupt values",
        })
    }
}
