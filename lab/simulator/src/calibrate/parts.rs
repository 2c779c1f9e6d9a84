//! The parts of the CPU of a journey: what levels, measured and simulated, are compared by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CPU of a journey by what it is for, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuParts {
    /// Operations of components, on the threads that serve calls: their own code and their statements.
    pub operations: f64,
    /// Operations, on threads for blocking work.
    pub blocking: f64,
    /// What processes take whatever is asked of them, by the calibration.
    pub background: f64,
    /// All else: messages, waking, watching, and what the gateway does, which passes requests on.
    pub messages: f64,
}

impl CpuParts {
    /// The parts with what they are called, the largest of most journeys first.
    pub const fn named(self) -> [(&'static str, f64); 4] {
        [
            ("messages", self.messages),
            ("operations", self.operations),
            ("blocking work", self.blocking),
            ("background", self.background),
        ]
    }
}
