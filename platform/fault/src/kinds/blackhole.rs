//! `blackhole`: what is sent does not arrive, and no error is returned.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::TargetKind;
use crate::connection::ConnectionFault;

/// The socket stays open on both sides: half-open, until a timeout of one side. What was sent on an edge never arrives; what was
/// sent on a connection to a server, which outlives the fault, arrives when it ends, as TCP sends again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blackhole {}

impl FaultKind for Blackhole {
    const ACTUATOR: Actuator = Actuator::Proxy;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge, TargetKind::Connection];

    fn connection_fault(&self) -> Option<ConnectionFault> {
        Some(ConnectionFault::Blackhole)
    }
}

impl fmt::Display for Blackhole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("blackhole")
    }
}
