//! `drop`: packets are lost, and TCP sends them again.

use std::fmt;

use policy::units::{Ratio, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind, above};
use crate::matching::unit;
use crate::{TargetKind, CallFault};

/// Modelled above the stream: a call that loses a packet waits for one retransmission
/// timeout, doubled for each further loss in a row. Dropping bytes of a TCP stream
/// would be corruption, not loss. Measured with a real 5 % on loopback: p95 2 to
/// 149 ms, p99 5 to 208 ms, no errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// TCP_RTO_MAX of Linux.
const MAX_RTO: HumanDuration = HumanDuration::from_millis(120_000);

impl FaultKind for Loss {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["loss", "rto"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge];
    const HAS_SIZE: bool = true;

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        let mut wait = self.rto.duration();
        let loss = self.loss.get() * hit.strength;
        for lost in ["loss.1", "loss.2", "loss.3"] {
            if unit(hit.dice.draw(lost)) >= loss {
                break;
            }
            fault.delay += wait;
            wait *= 2;
        }
        hit.previous_draw
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_nothing = self.loss.get() <= 0.0 || self.rto == HumanDuration::default();
        let sentence = || "loss: no call would wait; write a share above 0%, and an `rto` above 0s where there is one";
        let nothing = is_nothing.then(|| sentence().to_owned());
        nothing.into_iter().chain(above("rto", self.rto, MAX_RTO, "")).collect()
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lose {} of packets", self.loss)
    }
}
