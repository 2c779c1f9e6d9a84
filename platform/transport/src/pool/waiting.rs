//! Requests that wait for a connection.

use std::time::Instant;

use runtime::clock;
use telemetry::PoolMetrics;

/// A request without a connection; its wait is measured, for it is the queue of this edge.
pub(crate) struct PoolWait<'a> {
    metrics: &'a PoolMetrics,
    since: Instant,
}

impl<'a> PoolWait<'a> {
    pub fn begin(metrics: &'a PoolMetrics) -> Self {
        metrics.waiting.increment(1.0);
        Self { metrics, since: clock::now() }
    }
}

impl Drop for PoolWait<'_> {
    fn drop(&mut self) {
        self.metrics.waiting.decrement(1.0);
        telemetry::queue_wait(runtime::scope::component(), "pool", clock::now() - self.since);
    }
}
