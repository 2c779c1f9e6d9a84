//! The messages by which the lab controls the leases of a process. The endpoints are `transport::control`'s.
//!
//! `PUT /control/leases` puts and renews, `DELETE /control/leases/{id}` ends,
//! `GET /control/leases` lists, `GET /control/hits` counts.

use serde::{Deserialize, Serialize};

use crate::{DelayCounts, Lease};

/// Longest time to live that a process grants, milliseconds: no lease outlives
/// its conductor by more. The conductor asks for 3 s and renews every second.
pub const MAX_TTL_MS: u64 = 30_000;

/// Puts leases in force. Sent again it renews them, so a conductor need not know
/// what a restarted process has lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutLeases {
    /// The leases; others stay as they are.
    pub leases: Vec<Lease>,
    /// How long they hold from now, milliseconds; at most [`MAX_TTL_MS`].
    pub ttl_ms: u64,
    /// How long ago the step began, milliseconds: where a ramp stands.
    #[serde(default)]
    pub age_ms: u64,
}

/// A lease in force, as `GET /control/leases` lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// The lease.
    pub lease: Lease,
    /// How long it still holds, milliseconds.
    pub left_ms: u64,
    /// Calls it has hit.
    pub hits: u64,
}

/// Calls hit by each lease since the process started, ended leases included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HitCounts {
    /// Lease id and its count.
    pub hits: Vec<(String, u64)>,
    /// Lease id and its delays, of leases that delay calls.
    #[serde(default)]
    pub delays: Vec<(String, DelayCounts)>,
    /// The delays of the network that is declared between processes; none on loopback.
    #[serde(default)]
    pub network: DelayCounts,
}
