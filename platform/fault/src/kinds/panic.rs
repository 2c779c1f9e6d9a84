//! `panic`: whoever does the work panics.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{Dies, End, Place, Verdict};

/// `task` takes the call along, `process` everything the process holds: in a monolith the whole application.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panic {
    /// What dies.
    #[serde(default)]
    mode: Mode,
}

/// What a panic takes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Task,
    Process,
}

impl Kind for Panic {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["mode"];
    const ON: &'static [Place] = &[Place::Node];

    fn is_deadly(&self) -> bool {
        matches!(self.mode, Mode::Process)
    }

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.end = Some(End::Panic(match self.mode {
            Mode::Task => Dies::Task,
            Mode::Process => Dies::Process,
        }));
        hit.wave
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            Mode::Task => "panic",
            Mode::Process => "panic and abort",
        })
    }
}
