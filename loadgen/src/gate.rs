//! Rates that are offered on request only: a search for capacity goes on to them one by one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What of a schedule may be sent. Without a request the load ends where the next of these rates begins.
#[derive(Debug, Default)]
pub struct Gate {
    /// When each rate begins, microseconds since the load's start.
    starts_us: Vec<u64>,
    requested: AtomicUsize,
    is_over: AtomicBool,
}

impl Gate {
    /// Before rates that begin then.
    pub fn new(starts_us: Vec<u64>) -> Self {
        Self { starts_us, ..Self::default() }
    }

    /// Opens the next rate.
    pub fn request(&self) {
        self.requested.fetch_add(1, Ordering::Release);
    }

    /// No more rates will be requested.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Whether an arrival due then may be sent.
    pub fn is_open(&self, due_us: u64) -> bool {
        let begun = self.starts_us.partition_point(|start| *start <= due_us);
        begun <= self.requested.load(Ordering::Acquire)
    }

    /// Whether an arrival due then will never be sent.
    pub fn is_closed(&self, due_us: u64) -> bool {
        self.is_over.load(Ordering::Acquire) && !self.is_open(due_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rate_takes_a_request_and_the_declared_ones_none() {
        let gate = Gate::new(vec![10, 20]);
        assert!(gate.is_open(9) && !gate.is_open(10) && !gate.is_closed(10), "one may still come");
        gate.request();
        assert!(gate.is_open(19) && !gate.is_open(20));
        gate.end();
        assert!(gate.is_closed(20) && !gate.is_closed(19), "what was requested is sent");
        assert!(Gate::default().is_open(u64::MAX), "a load without such rates");
    }
}
