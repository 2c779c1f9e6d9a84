//! `registry`: the registry answers wrongly.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::standing::Directory;
use crate::{Place, Standing, Target};

/// The lab's DNS fault: an error, nobody, what it knew before, or an address where nobody listens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// How it answers.
    #[serde(default)]
    answers: Directory,
}

impl Kind for Registry {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["answers"];
    const ON: &'static [Place] = &[Place::Registry];

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        standing.directory = Some(self.answers);
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.answers {
            Directory::Error => "answers errors",
            Directory::Empty => "answers nobody",
            Directory::Stale => "answers what it knew",
            Directory::Wrong => "answers wrong addresses",
        })
    }
}
