//! `cut`: connections break off in the middle of an answer.

use std::fmt;

use policy::units::ByteSize;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::Place;
use crate::wire::Ill;

/// After so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Bytes that still come through.
    after: ByteSize,
}

impl Kind for Cut {
    const CARRIED: Carried = Carried::Wire;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["after"];
    const ON: &'static [Place] = &[Place::Edge];

    fn ill(&self) -> Option<Ill> {
        Some(Ill::Cut(self.after))
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut after {}", self.after)
    }
}
