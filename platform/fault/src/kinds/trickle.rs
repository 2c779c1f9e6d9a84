//! `trickle`: connections carry a few bytes at a time.

use std::fmt;

use policy::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, rate_diagnostics};
use crate::TargetKind;
use crate::connection::ConnectionFault;

/// 512 bytes a second unless given: enough to keep every idle timeout from firing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trickle {
    /// Bytes a second.
    #[serde(default = "rate")]
    rate: ByteSize,
}

const fn rate() -> ByteSize {
    ByteSize::new(512)
}

impl FaultKind for Trickle {
    const ACTUATOR: Actuator = Actuator::Proxy;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["rate"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge, TargetKind::Connection];

    fn connection_fault(&self) -> Option<ConnectionFault> {
        Some(ConnectionFault::Bandwidth(self.rate))
    }

    fn diagnostics(&self) -> Vec<String> {
        rate_diagnostics(self.rate, "512B")
    }
}

impl fmt::Display for Trickle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trickle at {}/s", self.rate)
    }
}
