//! `reorder`: events arrive out of order.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// On the component that hears of events: of each `window` of them, the last comes first.
/// None is lost; whoever counts on their order is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// Events that change places with each other.
    #[serde(default = "four")]
    window: NonZeroU32,
}

const fn four() -> NonZeroU32 {
    NonZeroU32::new(4).unwrap()
}

impl Kind for Reorder {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["window"];
    const ON: &'static [Place] = &[Place::Node];
    const STRIKES: bool = true;
    const OF_EVENTS: bool = true;

    fn stand(&self, target: Target, _: f64, standing: &mut Standing) {
        standing.reordered.extend(target.component().map(|name| (name, self.window.get())));
    }
}

impl fmt::Display for Reorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "events reordered in windows of {}", self.window)
    }
}
