//! How far a prediction has come.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is simulated and what has been, counted in seconds of one copy of a process: that is what they cost, give or take.
#[derive(Debug, Default)]
pub struct Progress {
    expected: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    /// How much of it has been simulated, 0 to 1; `None` before anything is known of it.
    pub fn share(&self) -> Option<f64> {
        let expected = self.expected.load(Ordering::Relaxed);
        (expected > 0).then(|| (self.done.load(Ordering::Relaxed) as f64 / expected as f64).min(1.0))
    }

    pub(super) fn expect(&self, copy_seconds: u64) {
        self.expected.fetch_add(copy_seconds, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, copy_seconds: u64) {
        self.done.fetch_add(copy_seconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_share_once_something_is_expected() {
        let progress = Progress::default();
        assert_eq!(progress.share(), None);
        progress.expect(40);
        progress.advance(10);
        assert_eq!(progress.share(), Some(0.25));
        progress.advance(100);
        assert_eq!(progress.share(), Some(1.0), "what was not expected is no more than all of it");
    }
}
