//! `abort`: a call is answered with an error and never arrives.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind};
use crate::{End, TargetKind, CallFault};

/// Answers an HTTP status at once. The first abort wins and ends the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "AbortFields", into = "AbortFields")]
pub struct Abort {
    status: u16,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AbortFields {
    status: u16,
}

impl Abort {
    /// Answers `status`.
    ///
    /// # Errors
    /// When the status is not an error status, 400 to 599.
    pub fn with(status: u16) -> Result<Self, String> {
        AbortFields { status }.try_into()
    }
}

impl TryFrom<AbortFields> for Abort {
    type Error = String;

    fn try_from(AbortFields { status }: AbortFields) -> Result<Self, String> {
        if (400..600).contains(&status) {
            Ok(Self { status })
        } else {
            Err(format!("invalid status {status}: expected an error status, 400 to 599, e.g. 503"))
        }
    }
}

impl From<Abort> for AbortFields {
    fn from(Abort { status }: Abort) -> Self {
        Self { status }
    }
}

impl FaultKind for Abort {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["status"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge, TargetKind::Node];

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.end = Some(End::Abort(self.status));
        hit.previous_draw
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "abort with {}", self.status)
    }
}
