//! `reorder`: events arrive out of order.

use std::fmt;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, out_of_range};
use crate::{TargetKind, ActiveFaults, Target};

/// On the component that consumes events: of each `window` of them, the last comes first.
/// None is lost; it shows which consumers depend on their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// Events that change places with each other.
    #[serde(default = "four")]
    window: NonZeroU32,
}

const fn four() -> NonZeroU32 {
    NonZeroU32::new(4).unwrap()
}

/// Events that are held back at once: a thousand are what an outbox delivers in a second at most.
const MAX_WINDOW: u32 = 1_000;

impl FaultKind for Reorder {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["window"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];
    const COUNTS_HITS: bool = true;
    const ACTS_ON_EVENTS: bool = true;

    fn activate(&self, target: Target, _: f64, active: &mut ActiveFaults) {
        active.reordered.extend(target.component().map(|name| (name, self.window.get())));
    }

    fn diagnostics(&self) -> Vec<String> {
        out_of_range("window", self.window.get(), 2..=MAX_WINDOW)
    }
}

impl fmt::Display for Reorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "events reordered in windows of {}", self.window)
    }
}
