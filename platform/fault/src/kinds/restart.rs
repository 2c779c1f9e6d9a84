//! `restart`: a process leaves in order and comes back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Deed, Place};

/// One-shot. In a monolith the whole application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {}

impl Kind for Restart {
    const CARRIED: Carried = Carried::Conductor;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Node, Place::Registry];

    fn deed(&self) -> Option<Deed> {
        Some(Deed::Restart)
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("restart")
    }
}
