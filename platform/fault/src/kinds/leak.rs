//! `leak`: every call leaves some memory behind.

use std::fmt;

use policy::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind, out_of_range};
use crate::{TargetKind, CallFault};

/// Touched page by page, or it would not be there. It stays until the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// Bytes a call leaves behind.
    size: ByteSize,
}

/// One call a second with this fills 4 GiB in a minute (64 MiB x 60 = 3.75 GiB): more would be one call that ends the
/// machine, and no leak.
const MAX_LEAK: ByteSize = ByteSize::new(64 << 20);

impl FaultKind for Leak {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["size"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];
    const HAS_SIZE: bool = true;

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        fault.leaked_bytes += (self.size.get() as f64 * hit.strength) as u64;
        hit.previous_draw
    }

    fn diagnostics(&self) -> Vec<String> {
        out_of_range("size", self.size, ByteSize::new(1)..=MAX_LEAK)
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leak {} a call", self.size)
    }
}
