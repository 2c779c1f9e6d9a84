//! Clients of the registry: registering this process and watching the others.
//!
//! - [`registrar`]: registers, renews, registers again, drains, deregisters.
//! - [`watcher`]: follows the watch and updates the clusters that requests pick from.
//! - `membership`: a watcher's view of the members; pure.
//! - `sse`: parses server-sent events; pure.
//! - `snapshot_file`: the last snapshot on disk.
//! - `connection`: one HTTP/1.1 connection to the registry.

mod connection;
mod membership;
pub mod registrar;
mod snapshot_file;
mod sse;
pub mod watcher;

use std::time::Duration;

use runtime::random;

/// Full jitter: between 0 and `first x 2^failures`, capped
/// (Brooker, "Exponential Backoff and Jitter", AWS 2015).
fn backoff(first: Duration, cap: Duration, failures: u32) -> Duration {
    let ceiling = first.saturating_mul(1 << failures.min(16)).min(cap);
    ceiling.mul_f64(random::unit(random::bits()))
}

/// `period` plus or minus a fifth, so that clients started together do not call together.
fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.8 + 0.4 * random::unit(random::bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_within_their_bounds() {
        let (first, cap) = (Duration::from_millis(50), Duration::from_secs(2));
        for failures in 0..40 {
            let ceiling = Duration::from_millis(50 << failures.min(10)).min(cap);
            assert!(backoff(first, cap, failures) <= ceiling);
            let wait = jittered(Duration::from_secs(1));
            assert!((800..=1_200).contains(&wait.as_millis()), "{wait:?}");
        }
    }
}
