//! Head sampling: decided as a request arrives, before anything is made or measured for its trace.
//!
//! The caller decides; of requests from outside the suite that bring no decision, every so many is sampled by the number of
//! its arrival. All spans below ask whether there is a span around them, so that a request that is not sampled costs nothing
//! but the question.

use std::sync::atomic::{AtomicU64, Ordering};

use contract::TraceContext;
use contract::hash::mix;

/// Who a request comes from, where it brings no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client: a trace may begin here.
    Client,
    /// Another part of the suite, which would have sent its decision if it had sampled.
    Suite,
}

/// The increment of SplitMix64: numbers that follow each other are far apart before they are mixed.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The share of arrivals that are sampled, and how many there were.
pub(crate) struct HeadSampler {
    /// A number below this of 2^64 is sampled; `u64::MAX` samples all.
    threshold: AtomicU64,
    arrivals: AtomicU64,
}

/// The process's own; samples nothing until telemetry is set up.
static PROCESS: HeadSampler = HeadSampler::new();

impl HeadSampler {
    const fn new() -> Self {
        Self { threshold: AtomicU64::new(0), arrivals: AtomicU64::new(0) }
    }

    fn set_ratio(&self, ratio: f64) {
        // Saturates: a ratio of 1 is all of them.
        self.threshold.store((ratio * 2.0_f64.powi(64)) as u64, Ordering::Relaxed);
    }

    fn samples_next(&self) -> bool {
        match self.threshold.load(Ordering::Relaxed) {
            0 => false,
            u64::MAX => true,
            threshold => {
                let number = self.arrivals.fetch_add(1, Ordering::Relaxed);
                // Mixed: a rhythm in what arrives must not decide what is seen of it.
                mix(number.wrapping_mul(GOLDEN_GAMMA)) < threshold
            }
        }
    }

    fn samples(&self, parent: TraceContext, origin: Origin) -> bool {
        if parent.is_valid() { parent.sampled } else { origin == Origin::Client && self.samples_next() }
    }
}

/// Sets the share of arrivals that this process samples.
pub(crate) fn set_ratio(ratio: f64) {
    PROCESS.set_ratio(ratio);
}

/// Whether the spans of a request are made: as its caller decided, else by the number of its arrival.
pub(crate) fn samples(parent: TraceContext, origin: Origin) -> bool {
    PROCESS.samples(parent, origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: TraceContext = TraceContext { trace_id: 0, span_id: 0, sampled: false };

    fn parent(sampled: bool) -> TraceContext {
        TraceContext { trace_id: 7, span_id: 9, sampled }
    }

    fn sampler(ratio: f64) -> HeadSampler {
        let sampler = HeadSampler::new();
        sampler.set_ratio(ratio);
        sampler
    }

    #[test]
    fn the_caller_decides() {
        for ratio in [0.0, 1.0] {
            let sampler = sampler(ratio);
            for origin in [Origin::Client, Origin::Suite] {
                assert!(sampler.samples(parent(true), origin));
                assert!(!sampler.samples(parent(false), origin));
            }
        }
    }

    #[test]
    fn only_a_client_begins_a_trace() {
        assert!(sampler(1.0).samples(NONE, Origin::Client));
        assert!(!sampler(1.0).samples(NONE, Origin::Suite));
        assert!(!sampler(0.0).samples(NONE, Origin::Client));
    }

    #[test]
    fn a_share_of_arrivals_is_sampled_whatever_their_rhythm() {
        for stride in [1, 2, 10] {
            let sampler = sampler(0.1);
            let arrivals = (0..10_000 * stride).map(|_| sampler.samples(NONE, Origin::Client));
            let seen = arrivals.step_by(stride).filter(|sampled| *sampled).count();
            // 1,000 of 10,000, give or take four sigma of 30.
            assert!(seen.abs_diff(1_000) < 120, "{seen} of every {stride}th");
        }
    }
}
