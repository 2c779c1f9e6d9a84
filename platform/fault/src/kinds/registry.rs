//! `registry`: the registry answers wrongly.

use std::fmt;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, MAX_WAIT, above};
use crate::active::RegistryAnswer;
use crate::{TargetKind, ActiveFaults, Target};

/// The lab's DNS fault: an error, an empty list, the list from before the fault, an address
/// without a listener, or the right answer late.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RegistryFields", into = "RegistryFields")]
pub struct Registry(RegistryAnswer);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RegistryFields {
    /// How it answers.
    #[serde(default)]
    answers: Answers,
    /// How late, where it is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<HumanDuration>,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Answers {
    #[default]
    Error,
    Empty,
    Stale,
    Wrong,
    Slow,
}

impl TryFrom<RegistryFields> for Registry {
    type Error = String;

    fn try_from(RegistryFields { answers, by }: RegistryFields) -> Result<Self, String> {
        let registry = match (answers, by) {
            (Answers::Slow, Some(by)) if by == HumanDuration::default() => {
                return Err("`by` of 0s is not late; write more, e.g. by = \"2s\"".into());
            }
            (Answers::Slow, Some(by)) => RegistryAnswer::Slow(by.duration()),
            (Answers::Slow, None) => return Err("missing `by`: write how late it answers, e.g. by = \"2s\"".into()),
            (_, Some(_)) => return Err("`by` belongs to answers = \"slow\"; leave it out".into()),
            (Answers::Error, None) => RegistryAnswer::Error,
            (Answers::Empty, None) => RegistryAnswer::Empty,
            (Answers::Stale, None) => RegistryAnswer::Stale,
            (Answers::Wrong, None) => RegistryAnswer::Wrong,
        };
        Ok(Self(registry))
    }
}

impl From<Registry> for RegistryFields {
    fn from(Registry(registry): Registry) -> Self {
        let (answers, by) = match registry {
            RegistryAnswer::Error => (Answers::Error, None),
            RegistryAnswer::Empty => (Answers::Empty, None),
            RegistryAnswer::Stale => (Answers::Stale, None),
            RegistryAnswer::Wrong => (Answers::Wrong, None),
            RegistryAnswer::Slow(by) => (Answers::Slow, Some(by.into())),
        };
        Self { answers, by }
    }
}

impl FaultKind for Registry {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["answers", "by"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Registry];

    fn diagnostics(&self) -> Vec<String> {
        match self.0 {
            RegistryAnswer::Slow(by) => above("by", HumanDuration::from(by), MAX_WAIT, ""),
            _ => Vec::new(),
        }
    }

    fn activate(&self, _: Target, _: f64, active: &mut ActiveFaults) {
        active.registry = Some(self.0);
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RegistryAnswer::Error => f.write_str("answers errors"),
            RegistryAnswer::Empty => f.write_str("answers an empty list"),
            RegistryAnswer::Stale => f.write_str("answers a stale list"),
            RegistryAnswer::Wrong => f.write_str("answers wrong addresses"),
            RegistryAnswer::Slow(by) => write!(f, "answers {} late", HumanDuration::from(by)),
        }
    }
}
