//! `partition`: callers do not reach callees.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind};
use crate::{End, TargetKind, CallFault};

/// `to`: the request is lost and the work not done. `from`: the answer is lost and the
/// work done, which is what breaks consistency. `both`: neither side reaches the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Which way is lost.
    #[serde(default)]
    direction: Direction,
    /// Whether callers learn of it at once.
    #[serde(default)]
    mode: Mode,
}

/// Which way is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Direction {
    To,
    From,
    #[default]
    Both,
}

/// What a caller notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Mode {
    /// Nothing, until it gives up: packets are dropped.
    #[default]
    Hang,
    /// At once: packets are rejected.
    Refuse,
}

impl FaultKind for Partition {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["direction", "mode"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge];

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        match (self.direction, self.mode) {
            (Direction::From, _) => fault.answer_lost = true,
            (Direction::To | Direction::Both, Mode::Refuse) => fault.end = Some(End::Refuse),
            (Direction::To | Direction::Both, Mode::Hang) => fault.end = Some(End::Hang),
        }
        hit.previous_draw
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::To => "requests lost",
            Direction::From => "answers lost",
            Direction::Both => "both ways",
        };
        write!(f, "partition, {direction}")
    }
}
