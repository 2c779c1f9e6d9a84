//! A fault in force.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{CallSite, Fault, Match, Pattern, Side, Target};

/// A fault, its target, and the selection of calls: all that a process needs to inject it.
/// It holds for as long as it is renewed.
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
    /// What it acts on.
    pub target: Target,
    /// Which calls.
    #[serde(default)]
    pub matching: Match,
    /// Only calls to these copies; to all where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// Addresses of callees, and the proxies to reach them through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detours: Vec<(SocketAddr, SocketAddr)>,
    /// How long it takes to grow to its full size, milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ramp_ms: u64,
    /// The run's seed.
    #[serde(default)]
    pub seed: u64,
}

impl Lease {
    /// Whether the copy that is called is one of those meant.
    pub(crate) fn covers(&self, site: &CallSite<'_>) -> bool {
        if site.side == Side::Callee {
            return true;
        }
        let by_pattern = match self.target {
            Target::Edge { callee: Pattern::Instance(..), .. } if self.copies.is_empty() => {
                site.copy.is_some_and(|copy| self.target.to_string().ends_with(&format!("->{copy}")))
            }
            _ => true,
        };
        by_pattern
            && (self.copies.is_empty()
                || site.copy.is_some_and(|copy| self.copies.iter().any(|meant| meant == copy)))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(ramp_ms: &u64) -> bool {
    *ramp_ms == 0
}
