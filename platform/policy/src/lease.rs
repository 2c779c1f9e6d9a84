//! Leases of the registry: how soon a process that no longer renews is left alone. Times in nanoseconds.

/// How long a lease lasts.
pub const LEASE_NS: u64 = 3_000_000_000;
/// From one renewal to the next, give or take a fifth: a lease outlasts two that are lost.
pub const RENEWAL_INTERVAL_NS: u64 = 1_000_000_000;
/// From one search for lapsed leases to the next.
pub const SWEEP_INTERVAL_NS: u64 = 100_000_000;

/// How long watchers may take to come back to a registry that has started again: the longest wait between two of their
/// attempts, 2 s, and an attempt, 1 s.
pub const REJOIN_NS: u64 = 3_000_000_000;

/// When the search finds that a lease has lapsed which was last renewed at `renewed_ns`: at the first one on or after its end.
/// Searches are at multiples of their interval.
pub const fn lapse_ns(renewed_ns: u64) -> u64 {
    renewed_ns.saturating_add(LEASE_NS).div_ceil(SWEEP_INTERVAL_NS) * SWEEP_INTERVAL_NS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_with_the_next_search() {
        assert_eq!(lapse_ns(0), LEASE_NS);
        assert_eq!(lapse_ns(1), LEASE_NS + SWEEP_INTERVAL_NS);
        assert_eq!(lapse_ns(950_000_000), 4_000_000_000);
    }
}
