//! A fault in force.

use serde::{Deserialize, Serialize};

use crate::{Fault, Match, Target};

/// A fault, whom it hits, and the dice by which: all that a process needs to
/// injure itself. It holds for as long as somebody renews it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The step's name in the scenario. Part of the dice, so two leases of one
    /// share hit different calls.
    pub id: String,
    /// Position of the step in its file. Leases apply in this order: delays
    /// add up until the first abort or hang.
    #[serde(default)]
    pub order: u32,
    /// What happens.
    pub fault: Fault,
    /// Whom it hits.
    pub target: Target,
    /// Which calls.
    #[serde(default)]
    pub matching: Match,
    /// The run's seed.
    #[serde(default)]
    pub seed: u64,
}
