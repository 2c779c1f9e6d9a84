//! `kill-backend`: processes of a database server end that serve a connection each.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, out_of_range};
use crate::TargetKind;

/// One-shot. Backends at work are hit first, then those that worked last; where there are fewer, all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KillBackend {
    /// How many.
    #[serde(default = "one")]
    pub backends: u32,
    /// How they end.
    #[serde(default)]
    pub signal: BackendSignal,
}

/// How a backend ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackendSignal {
    /// SIGTERM, as `pg_terminate_backend` sends it: its connection ends, and no other.
    #[default]
    Term,
    /// SIGKILL, as the kernel sends it when memory runs out: the server cannot know what became of the memory that all share,
    /// so it ends every connection and recovers from its log.
    Kill,
}

const fn one() -> u32 {
    1
}

/// More than a server of a run has connections.
const MAX_BACKENDS: u32 = 1_000;

impl FaultKind for KillBackend {
    const ACTUATOR: Actuator = Actuator::Session;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &["backends", "signal"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Server];

    fn diagnostics(&self) -> Vec<String> {
        out_of_range("backends", self.backends, 1..=MAX_BACKENDS)
    }
}

impl fmt::Display for KillBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = match self.signal {
            BackendSignal::Term => "SIGTERM",
            BackendSignal::Kill => "SIGKILL",
        };
        let plural = if self.backends == 1 { "" } else { "s" };
        write!(f, "{} backend{plural} ended by {signal}", self.backends)
    }
}
