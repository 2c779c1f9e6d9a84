//! What came of a scenario's `[sweep]`: in how many simulations a condition held, for every combination of values of some keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Interval;

/// What varied, and what was counted. Nothing of it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepResult {
    /// The condition.
    pub holds: String,
    /// Simulations of each combination, with other seeds.
    pub replications: u32,
    /// The keys that varied.
    pub axes: Vec<SweptKey>,
    /// Every combination of values; those of the last key change first.
    pub cells: Vec<SweepCell>,
}

/// A key that varied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweptKey {
    /// What it is called.
    pub name: String,
    /// The key in the scenario.
    pub key: String,
    /// Its values, as they are written there.
    pub values: Vec<String>,
}

/// A combination of values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepCell {
    /// By arm that the condition is about; `-` where it compares two.
    pub arms: BTreeMap<char, SweepCount>,
}

/// In how many simulations the condition held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepCount {
    /// So many.
    pub held: u32,
    /// Of so many in which it could be judged.
    pub judged: u32,
    /// 95 % interval of the share, by Wilson's method; absent where none could be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}
