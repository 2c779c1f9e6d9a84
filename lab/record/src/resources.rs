//! What an arm is given to work with, so that arms can be compared: as much in all, or named what is more or less.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the processes of an arm were given when it started, all together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Connections that read its databases.
    pub readers: u32,
    /// Of them, what is more than other arms are given, since every process has at least one.
    #[serde(default)]
    pub extra_readers: u32,
    /// Connections that write: one for each process and database.
    pub writers: u32,
    /// Threads that serve requests.
    pub workers: u32,
    /// Of them, what is more than other arms are given, since every process has some.
    #[serde(default)]
    pub extra_workers: u32,
    /// What it has less than other arms are given, since no process has more than cores; 0 in records made before that was so.
    #[serde(default)]
    pub cut_workers: u32,
    /// Weight of its group when cores are short, 100 being the usual one; `None` where it has no group of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<u32>,
    /// What its processes record of themselves: `off`, `metrics`, `sampled(0.1)`, `full`.
    pub telemetry: String,
    /// What an acknowledged write survives: `full` is power loss, `normal` a killed process.
    pub durability: String,
    /// Settings of the allocator, as the environment has them.
    pub allocator: String,
    /// Which of these the scenario declares for this arm: `readers`, `workers`, `telemetry`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub declared: BTreeSet<String>,
}
