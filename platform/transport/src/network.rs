//! The network between two processes: the round trip that a scenario declares, below every policy.
//!
//! Half of it passes before a request is sent and half before its answer is handed over, one more before a connection is
//! made. Function calls do not cross it. What it asked for and how late that came is counted, as for injected delays.

use std::sync::Arc;
use std::time::Duration;

use fault::{DelayCounter, DelayCounts};
use policy::network::NetworkOptions;
use runtime::cost::{self, Part};
use runtime::{clock, random, timer};

/// A network as one process sees it. Cheap to clone; nothing where it is loopback.
#[derive(Clone, Debug, Default)]
pub struct Network(Option<Arc<DeclaredNetwork>>);

#[derive(Debug)]
struct DeclaredNetwork {
    options: NetworkOptions,
    delays: DelayCounter,
}

impl Network {
    /// What a scenario declares.
    pub fn new(options: NetworkOptions) -> Self {
        let declared = || Arc::new(DeclaredNetwork { options, delays: DelayCounter::default() });
        Self((!options.is_loopback()).then(declared))
    }

    /// Nothing is added to what the kernel takes.
    pub const fn loopback() -> Self {
        Self(None)
    }

    /// Whether nothing is added.
    pub const fn is_loopback(&self) -> bool {
        self.0.is_none()
    }

    /// The way of a request to the other process, or of its answer back: half a round trip.
    pub async fn one_way(&self) {
        self.pass(2).await;
    }

    /// The way there and back that making a connection takes.
    pub async fn round_trip(&self) {
        self.pass(1).await;
    }

    /// What was asked for so far, and how late it came.
    pub fn delays(&self) -> DelayCounts {
        self.0.as_ref().map_or_else(DelayCounts::default, |declared| declared.delays.counts())
    }

    async fn pass(&self, divisor: u64) {
        let Some(declared) = &self.0 else { return };
        let ns = declared.options.round_trip_ns(random::unit(random::bits())) / divisor;
        let (length, began) = (Duration::from_nanos(ns), clock::now());
        cost::part(Part::Injected, timer::sleep(length)).await;
        declared.delays.add(length, (clock::now() - began).saturating_sub(length));
    }
}
