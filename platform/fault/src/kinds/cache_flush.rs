//! `cache-flush`: a cache forgets everything.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::TargetKind;

/// One-shot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheFlush {}

impl FaultKind for CacheFlush {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Cache];
}

impl fmt::Display for CacheFlush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cache-flush")
    }
}
