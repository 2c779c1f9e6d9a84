//! How long a process that leaves takes for it: it is off the list, still takes what comes, then ends what is under way.

use std::time::Duration;

/// How long it still takes new requests once it is off the list, and asks its callers to go elsewhere: their pools are the
/// lab's own and close at once.
pub const DRAIN_GRACE: Duration = Duration::from_millis(100);
/// How long requests under way may take after that; then they are cut off.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(2);
/// When a process that was asked to leave, and has not, is killed, where no step says another time. After a restart of the
/// registry it stays on the list until all watch that again ([`crate::lease::REJOIN_NS`]).
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::REJOIN_NS;

    #[test]
    fn a_process_that_drains_to_the_end_is_not_killed_before() {
        assert!(Duration::from_nanos(REJOIN_NS) + DRAIN_GRACE + DRAIN_DEADLINE < DRAIN_TIMEOUT);
    }
}
