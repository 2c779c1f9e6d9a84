//! `exhaust-connections`: a database server has no connection left.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::TargetKind;

/// All that are free are taken and held, and each that gets free later: open connections go on, and new ones are refused.
/// None is left for superusers either, since the processes of a run are superusers on its servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExhaustConnections {}

impl FaultKind for ExhaustConnections {
    const ACTUATOR: Actuator = Actuator::Session;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Server];
}

impl fmt::Display for ExhaustConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("takes every connection")
    }
}
