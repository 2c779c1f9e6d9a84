//! `panic`: the code that serves a call panics.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind};
use crate::{PanicScope, End, TargetKind, CallFault};

/// `task` ends the call alone, `process` everything the process holds: in a monolith the whole application.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Panic {
    /// What ends.
    #[serde(default)]
    mode: Mode,
}

/// What a panic ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Mode {
    #[default]
    Task,
    Process,
}

impl FaultKind for Panic {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["mode"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn kills_process(&self) -> bool {
        matches!(self.mode, Mode::Process)
    }

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.end = Some(End::Panic(match self.mode {
            Mode::Task => PanicScope::Task,
            Mode::Process => PanicScope::Process,
        }));
        hit.previous_draw
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
