//! When dead processes come back, as a topology says it.

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a dead process comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Wait before the restart, milliseconds.
    #[serde(with = "millis_text")]
    #[schemars(with = "HumanDuration", description = "Wait before the restart.")]
    pub after: u64,
    /// Restarts per run, after which it stays down.
    #[serde(default = "Restart::default_max")]
    pub max: u32,
    /// In a suite that is kept up, where the wait doubles with every death in succession: the longest, milliseconds. 30 s, or
    /// `after` where that is longer, where it is not given.
    #[serde(default, with = "optional_millis_text", skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<HumanDuration>",
        description = "In `cleave up`, where the wait doubles with every death in succession: the longest. Without it 30 s, or `after` where that is longer."
    )]
    pub max_delay: Option<u64>,
}

impl Restart {
    fn default_max() -> u32 {
        20
    }
}

/// Milliseconds written with their unit, as in `"500ms"` or `"2s"`.
mod millis_text {
    use policy::units::HumanDuration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(millis: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{millis}ms"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Ok(HumanDuration::deserialize(deserializer)?.nanos().div_ceil(1_000_000))
    }
}

/// The same, or nothing.
mod optional_millis_text {
    use serde::{Deserializer, Serializer};

    use super::millis_text;

    pub fn serialize<S: Serializer>(millis: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match millis {
            Some(millis) => millis_text::serialize(millis, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        millis_text::deserialize(deserializer).map(Some)
    }
}
