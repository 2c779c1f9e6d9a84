//! `blackhole`: what is sent never arrives, and nobody is told.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::Place;
use crate::wire::Ill;

/// The socket stays open on both sides: half-open, until somebody's timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blackhole {}

impl Kind for Blackhole {
    const CARRIED: Carried = Carried::Wire;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Edge];

    fn ill(&self) -> Option<Ill> {
        Some(Ill::Blackhole)
    }
}

impl fmt::Display for Blackhole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("blackhole")
    }
}
