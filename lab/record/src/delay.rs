//! What is put between processes on purpose: the declared network, and how long injected delays took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is declared to lie between two processes, besides loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// Round trip, ns: half before a request, half before its answer, and one more to connect.
    pub rtt_ns: u64,
    /// Round trips are even in the declared one, more or less this, ns.
    #[serde(default)]
    pub jitter_ns: u64,
}

/// Delays of one fault, or of the declared network, in an arm and a round: what was asked for, and how late it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delay {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// The step that asked for them; 0 for the declared network.
    pub step: u32,
    /// Delays that calls waited for to their end.
    pub n: u64,
    /// Median of what was asked for, microseconds.
    pub asked_us: u64,
    /// Median of how much longer they took, microseconds.
    pub late_us: u64,
}
