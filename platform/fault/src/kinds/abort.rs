//! `abort`: a call is answered with an error and never arrives.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Hit, Kind};
use crate::{End, Place, Verdict};

/// Answers an HTTP status at once. The first abort wins and ends the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Abort {
    status: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    status: u16,
}

impl Abort {
    /// Answers `status`.
    ///
    /// # Errors
    /// When the status is no refusal: 400 to 599.
    pub fn with(status: u16) -> Result<Self, String> {
        Written { status }.try_into()
    }
}

impl TryFrom<Written> for Abort {
    type Error = String;

    fn try_from(Written { status }: Written) -> Result<Self, String> {
        if (400..600).contains(&status) {
            Ok(Self { status })
        } else {
            Err(format!("an abort with status {status} is no failure; give 400 to 599"))
        }
    }
}

impl From<Abort> for Written {
    fn from(Abort { status }: Abort) -> Self {
        Self { status }
    }
}

impl Kind for Abort {
    const CARRIED: Carried = Carried::Calls;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["status"];
    const ON: &'static [Place] = &[Place::Edge, Place::Node];

    fn apply(&self, hit: Hit, verdict: &mut Verdict) -> f64 {
        verdict.end = Some(End::Abort(self.status));
        hit.wave
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "abort with {}", self.status)
    }
}
