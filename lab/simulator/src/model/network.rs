//! The network between two processes.

use policy::NetworkOptions;
use policy::units::Ratio;

use crate::dist::Distribution;
use crate::engine::{Draws, random};

/// How long the sender of a lost segment waits before it sends it again: the least of Linux, 200 ms.
pub const RETRANSMIT_NS: u64 = 200_000_000;
/// A segment that is lost so often in succession is a broken connection, not a slow one.
const MAX_LOSSES: u64 = 8;

/// How far two processes are from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// On one host.
    Host,
    /// On two hosts of a zone, or of which one stands nowhere.
    Zone,
    /// In two zones of a region.
    Region,
    /// In two regions.
    World,
}

/// A way between two processes.
#[derive(Clone, Debug)]
pub struct Link {
    /// One way, as measured.
    pub one_way: Distribution,
    /// The round trip that a scenario declares, on top: half of it each way.
    pub declared: NetworkOptions,
    /// Share of messages of which a segment is lost, and sent again.
    pub loss: Ratio,
}

impl Default for Link {
    fn default() -> Self {
        Self { one_way: Distribution::ZERO, declared: NetworkOptions::default(), loss: Ratio::default() }
    }
}

impl Link {
    /// How long a message takes, ns: `draws` of the link, `key` of the message.
    pub fn delay_ns(&self, draws: Draws, key: u64) -> u64 {
        let mut delay_ns = self.one_way.sample(draws.bits(key));
        if !self.declared.is_loopback() {
            delay_ns += self.declared.round_trip_ns(random::unit(draws.bits(Draws::derive(key, 1)))) / 2;
        }
        if self.loss.get() > 0.0 {
            let is_lost = |n| random::unit(draws.bits(Draws::derive(key, 2 + n))) < self.loss.get();
            delay_ns += (0..MAX_LOSSES).take_while(|n| is_lost(*n)).count() as u64 * RETRANSMIT_NS;
        }
        delay_ns
    }
}

#[cfg(test)]
mod tests {
    use policy::units::HumanDuration;

    use super::*;

    #[test]
    fn half_a_round_trip_each_way_and_losses_on_top() {
        let draws = Draws::new(1, "network");
        let (rtt, jitter) = (HumanDuration::from_millis(10), HumanDuration::from_millis(2));
        let mut link = Link {
            one_way: Distribution::Constant(1_000),
            declared: NetworkOptions { rtt, jitter },
            loss: Ratio::default(),
        };
        let delays = |link: &Link| -> Vec<u64> { (0..10_000).map(|key| link.delay_ns(draws, key)).collect() };
        assert!(delays(&link).iter().all(|delay| (4_001_000..=6_001_000).contains(delay)));
        link.loss = Ratio::new(0.25);
        // A quarter is sent again, a quarter of these twice; 220 are five standard deviations.
        let lost = delays(&link).iter().filter(|delay| **delay >= RETRANSMIT_NS).count();
        assert!(lost.abs_diff(2_500) < 220, "{lost}");
    }
}
