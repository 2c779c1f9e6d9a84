//! `registry`: the registry answers wrongly.

use std::fmt;

use policy::units::HumanDuration;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::standing::Directory;
use crate::{Place, Standing, Target};

/// The lab's DNS fault: an error, nobody, what it knew before, an address where nobody listens, or the
/// right answer late.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Registry(Directory);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// How it answers.
    #[serde(default)]
    answers: Answers,
    /// How late, where it is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<HumanDuration>,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answers {
    #[default]
    Error,
    Empty,
    Stale,
    Wrong,
    Slow,
}

impl TryFrom<Written> for Registry {
    type Error = String;

    fn try_from(Written { answers, by }: Written) -> Result<Self, String> {
        let directory = match (answers, by) {
            (Answers::Slow, Some(by)) => Directory::Slow(by.duration()),
            (Answers::Slow, None) => return Err("how slow? write by = \"2s\"".into()),
            (_, Some(_)) => return Err("`by` belongs to answers = \"slow\"; leave it out".into()),
            (Answers::Error, None) => Directory::Error,
            (Answers::Empty, None) => Directory::Empty,
            (Answers::Stale, None) => Directory::Stale,
            (Answers::Wrong, None) => Directory::Wrong,
        };
        Ok(Self(directory))
    }
}

impl From<Registry> for Written {
    fn from(Registry(directory): Registry) -> Self {
        let (answers, by) = match directory {
            Directory::Error => (Answers::Error, None),
            Directory::Empty => (Answers::Empty, None),
            Directory::Stale => (Answers::Stale, None),
            Directory::Wrong => (Answers::Wrong, None),
            Directory::Slow(by) => (Answers::Slow, Some(by.into())),
        };
        Self { answers, by }
    }
}

impl Kind for Registry {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["answers", "by"];
    const ON: &'static [Place] = &[Place::Registry];

    fn stand(&self, _: Target, _: f64, standing: &mut Standing) {
        standing.directory = Some(self.0);
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Directory::Error => f.write_str("answers errors"),
            Directory::Empty => f.write_str("answers nobody"),
            Directory::Stale => f.write_str("answers what it knew"),
            Directory::Wrong => f.write_str("answers wrong addresses"),
            Directory::Slow(by) => write!(f, "answers {} late", HumanDuration::from(by)),
        }
    }
}
