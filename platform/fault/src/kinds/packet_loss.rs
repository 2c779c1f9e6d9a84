//! `packet-loss`: the kernel loses packets, and TCP sends them again.

use std::fmt;

use policy::units::Ratio;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::Place;
use crate::wire::Ill;

/// By the packet filter, in a network namespace of the run's own; `cleave doctor` says whether
/// this machine lets us. [`super::Loss`] is the model of it that needs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketLoss {
    /// Share of packets lost, each way.
    loss: Ratio,
}

impl Kind for PacketLoss {
    const CARRIED: Carried = Carried::Wire;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["loss"];
    const ON: &'static [Place] = &[Place::Edge];

    fn ill(&self) -> Option<Ill> {
        Some(Ill::Loss(self.loss))
    }
}

impl fmt::Display for PacketLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lose {} of packets in the kernel", self.loss)
    }
}
