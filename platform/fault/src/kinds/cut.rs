//! `cut`: connections break off in the middle of an answer.

use std::fmt;

use policy::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, MAX_RATE, above};
use crate::TargetKind;
use crate::connection::ConnectionFault;

/// After so many bytes of answers, counted from the beginning of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Bytes that still come through.
    after: ByteSize,
}

impl FaultKind for Cut {
    const ACTUATOR: Actuator = Actuator::Proxy;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["after"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge, TargetKind::Connection];

    fn connection_fault(&self) -> Option<ConnectionFault> {
        Some(ConnectionFault::Cut(self.after))
    }

    fn diagnostics(&self) -> Vec<String> {
        above("after", self.after, MAX_RATE, "")
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut after {}", self.after)
    }
}
