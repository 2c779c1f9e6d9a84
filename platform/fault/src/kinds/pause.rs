//! `pause`: a process stands still, by SIGSTOP, like one in a long collection of garbage.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Deed, Place};

/// Connections are still accepted by the kernel; nothing is answered. Pauses
/// count: the process goes on when the last lease ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

impl Kind for Pause {
    const CARRIED: Carried = Carried::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Node, Place::Registry];

    fn deed(&self) -> Option<Deed> {
        Some(Deed::Pause)
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pause")
    }
}
