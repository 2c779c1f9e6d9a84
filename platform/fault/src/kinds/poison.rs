//! `poison`: an event makes its consumer panic.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// Again and again, unless it is set aside after some tries: `dead_letters = true`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poison {
    /// Whether a poisonous event is set aside.
    #[serde(default)]
    dead_letters: bool,
}

impl Kind for Poison {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const STRIKES: bool = true;
    const OF_EVENTS: bool = true;
    const FIELDS: &'static [&'static str] = &["dead_letters"];
    const ON: &'static [Place] = &[Place::Node];

    fn stand(&self, target: Target, _: f64, standing: &mut Standing) {
        standing.poisoned.extend(target.component());
        standing.dead_letters |= self.dead_letters;
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("poisonous events")
    }
}
