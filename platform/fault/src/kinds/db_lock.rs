//! `db-lock`: a write transaction is held open.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{TargetKind, ActiveFaults, Target};

/// Writers wait; readers go on, as they do in a database with a write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DbLock {}

impl FaultKind for DbLock {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Store];

    fn activate(&self, _: Target, _: f64, active: &mut ActiveFaults) {
        active.db_locked = true;
    }
}

impl fmt::Display for DbLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("db-lock")
    }
}
