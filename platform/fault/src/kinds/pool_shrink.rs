//! `pool-shrink`: a database has few connections to read by.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// The smallest limit wins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolShrink {
    /// Connections left.
    to: u32,
}

impl Kind for PoolShrink {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["to"];
    const ON: &'static [Place] = &[Place::Store];

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        let limit = standing.readers.map_or(self.to, |limit| limit.min(self.to));
        standing.readers = Some(limit);
    }
}

impl fmt::Display for PoolShrink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool shrinks to {}", self.to)
    }
}
