//! `bandwidth`: connections carry so many bytes a second.

use std::fmt;

use policy::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, rate_diagnostics};
use crate::TargetKind;
use crate::connection::ConnectionFault;

/// A token bucket on every connection of the edge, each way. The smallest limit wins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes a second.
    rate: ByteSize,
}

impl FaultKind for Bandwidth {
    const ACTUATOR: Actuator = Actuator::Proxy;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["rate"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge, TargetKind::Connection];

    fn connection_fault(&self) -> Option<ConnectionFault> {
        Some(ConnectionFault::Bandwidth(self.rate))
    }

    fn diagnostics(&self) -> Vec<String> {
        rate_diagnostics(self.rate, "64KiB")
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit to {}/s", self.rate)
    }
}
