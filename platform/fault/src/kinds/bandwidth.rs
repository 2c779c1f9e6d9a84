//! `bandwidth`: connections carry so many bytes a second.

use std::fmt;

use policy::units::ByteSize;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::Place;
use crate::wire::Ill;

/// A token bucket on every connection of the edge, each way. The smallest limit wins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes a second.
    rate: ByteSize,
}

impl Kind for Bandwidth {
    const CARRIED: Carried = Carried::Wire;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["rate"];
    const ON: &'static [Place] = &[Place::Edge];

    fn ill(&self) -> Option<Ill> {
        Some(Ill::Bandwidth(self.rate))
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit to {}/s", self.rate)
    }
}
