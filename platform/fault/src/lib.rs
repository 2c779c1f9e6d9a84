//! What can go wrong on purpose: fault kinds, leases, and the verdict for one call.
