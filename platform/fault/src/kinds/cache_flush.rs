//! `cache-flush`: a cache forgets everything.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::Place;

/// One-shot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheFlush {}

impl Kind for CacheFlush {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Cache];
}

impl fmt::Display for CacheFlush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cache-flush")
    }
}
