//! `kill`: a process dies at once, by SIGKILL.

use std::fmt;

use policy::units::HumanDuration;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Deed, Place};

/// One-shot. In a monolith it takes everything along; works on a paused process, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Brings the process back, whatever the topology says about restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Back>,
}

/// When a killed process comes back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// Counted from the kill.
    pub after: HumanDuration,
}

impl Kind for Kill {
    const CARRIED: Carried = Carried::Conductor;
    const LASTS: bool = false;
    const FIELDS: &'static [&'static str] = &["restart"];
    const ON: &'static [Place] = &[Place::Node, Place::Registry];

    fn deed(&self) -> Option<Deed> {
        Some(Deed::Kill(self.restart.map(|back| back.after)))
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kill")?;
        self.restart.map_or(Ok(()), |restart| write!(f, ", back after {}", restart.after))
    }
}
