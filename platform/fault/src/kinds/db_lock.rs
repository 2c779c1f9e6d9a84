//! `db-lock`: somebody holds a write transaction open.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// Writers wait; readers go on, as they do in a database with a write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DbLock {}

impl Kind for DbLock {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Store];

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        standing.db_locked = true;
    }
}

impl fmt::Display for DbLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("db-lock")
    }
}
