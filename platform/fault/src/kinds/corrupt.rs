//! `corrupt`: an answer arrives damaged.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind};
use crate::{TargetKind, Corruption, CallFault};

/// `bytes` flips bytes, so that the answer cannot be read; `values` leaves it readable
/// and its numbers wrong, which is worse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// How.
    #[serde(default)]
    mode: Mode,
}

/// How an answer is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Mode {
    #[default]
    Bytes,
    Values,
}

impl FaultKind for Corrupt {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["mode"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge];

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.corruption = Some(match self.mode {
            Mode::Bytes => Corruption::Bytes,
            Mode::Values => Corruption::Values,
        });
        hit.previous_draw
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
