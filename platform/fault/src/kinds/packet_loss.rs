//! `packet-loss`: the kernel loses packets, and TCP sends them again.

use std::fmt;

use policy::units::Ratio;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::TargetKind;
use crate::connection::ConnectionFault;

/// By the packet filter, in a network namespace of the run's own; `cleave doctor` reports whether
/// this machine allows it. `drop` is the model of it that needs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PacketLoss {
    /// Share of packets lost, each way.
    loss: Ratio,
}

impl FaultKind for PacketLoss {
    const ACTUATOR: Actuator = Actuator::Proxy;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["loss"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge];

    fn connection_fault(&self) -> Option<ConnectionFault> {
        Some(ConnectionFault::Loss(self.loss))
    }

    fn diagnostics(&self) -> Vec<String> {
        let is_nothing = self.loss.get() <= 0.0;
        is_nothing.then(|| "loss: 0% loses nothing; write more, e.g. \"5%\"".to_owned()).into_iter().collect()
    }
}

impl fmt::Display for PacketLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lose {} of packets in the kernel", self.loss)
    }
}
