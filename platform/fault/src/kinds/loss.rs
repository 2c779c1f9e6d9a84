//! `drop`: packets are lost, and TCP sends them again.

use std::fmt;

use policy::units::{Ratio, HumanDuration};
use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::matching::unit;
use crate::{Place, Verdict};

/// Modelled above the stream: a call that loses a packet waits for one retransmission
/// timeout, doubled for each further loss in a row. Dropping bytes of a TCP stream
/// would be corruption, not loss. Measured with a real 5 % on loopback: p95 2 to
/// 149 ms, p99 5 to 208 ms, no errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Share of packets lost.
    loss: Ratio,
    /// Retransmission timeout: Linux's minimum unless given.
    #[serde(default = "rto")]
    rto: HumanDuration,
}

/// TCP_RTO_MIN of Linux.
const fn rto() -> HumanDuration {
    HumanDuration::from_millis(200)
}

impl Kind for Loss {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["loss", "rto"];
    const ON: &'static [Place] = &[Place::Edge];
    const HAS_SIZE: bool = true;

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        let mut wait = self.rto.duration();
        let loss = self.loss.get() * hit.strength;
        for lost in ["loss.1", "loss.2", "loss.3"] {
            if unit(hit.dice.draw(lost)) >= loss {
                break;
            }
            verdict.delay += wait;
            wait *= 2;
        }
        hit.wave
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lose {} of packets", self.loss)
    }
}
