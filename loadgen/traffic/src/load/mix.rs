//! Which journeys come, how often.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};

use crate::journey::Journey;

/// A named mix, or a table of weights. Weights may have any sum: `{ feed = 60,
/// search = 20 }` is three feeds to one search.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Mix {
    /// A named one.
    Preset(String),
    /// Weights by journey name, or by what [`Journey::of_mix`] understands.
    Weights(BTreeMap<String, f64>),
}

/// Largest weight: with 1 beside it the other journey comes once in a million, and no sum of all overflows.
const MAX_WEIGHT: f64 = 1_000_000.0;

/// Named mixes, in thousandths.
const PRESETS: &[(&str, &[(Journey, u32)])] = &[
    (
        "pinterest-like",
        &[
            (Journey::HomeFeed, 520),
            (Journey::NextPage, 180),
            (Journey::ViewPhoto, 80),
            (Journey::ViewProfile, 40),
            (Journey::Search, 80),
            (Journey::Like, 40),
            (Journey::Follow, 30),
            (Journey::Upload, 20),
            (Journey::EditProfile, 5),
            (Journey::SignUp, 3),
            (Journey::LogIn, 2),
        ],
    ),
    // DeathStarBench's social network (Gan et al., ASPLOS'19).
    ("dsb-60-30-10", &[(Journey::HomeFeed, 600), (Journey::UserFeed, 300), (Journey::Upload, 100)]),
    // Twitter, 2012: 300,000 reads a second to 6,000 writes.
    ("twitter-50to1", &[(Journey::HomeFeed, 780), (Journey::UserFeed, 200), (Journey::Upload, 20)]),
    // As many writes as LinkBench (Armstrong et al., SIGMOD'13): 31 %.
    (
        "write-heavy",
        &[
            (Journey::HomeFeed, 500),
            (Journey::ViewPhoto, 190),
            (Journey::Like, 150),
            (Journey::Follow, 100),
            (Journey::Upload, 60),
        ],
    ),
];

impl Mix {
    /// Journeys that occur and their weights, in the order of [`Journey::ALL`].
    pub fn weights(&self) -> Vec<(Journey, f64)> {
        let mut weights = BTreeMap::<Journey, f64>::new();
        match self {
            Self::Preset(name) => {
                let preset = PRESETS.iter().find(|(preset, _)| preset == name);
                for (journey, thousandths) in preset.map_or(&[][..], |(_, mix)| mix) {
                    weights.insert(*journey, f64::from(*thousandths));
                }
            }
            Self::Weights(table) => {
                let named = table.iter().filter_map(|(name, weight)| Some((Journey::of_mix(name)?, weight)));
                named.for_each(|(journey, weight)| *weights.entry(journey).or_default() += weight);
            }
        }
        weights.into_iter().filter(|(_, weight)| *weight > 0.0).collect()
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self::Preset("pinterest-like".into())
    }
}

impl JsonSchema for Mix {
    fn schema_name() -> Cow<'static, str> {
        "Mix".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let presets: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        json_schema!({
            "description": "a named mix, or weights by journey",
            "anyOf": [
                { "enum": presets },
                {
                    "type": "object",
                    "propertyNames": { "enum": Journey::mix_names() },
                    "additionalProperties": { "type": "number", "minimum": 0, "maximum": MAX_WEIGHT },
                },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Mix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MixVisitor;
        impl<'de> de::Visitor<'de> for MixVisitor {
            type Value = Mix;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a mix, or a table of weights by journey")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Mix, E> {
                if PRESETS.iter().any(|(name, _)| *name == text) {
                    return Ok(Mix::Preset(text.to_owned()));
                }
                let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                Err(E::custom(format!("unknown mix `{text}`; mixes: {}", names.join(", "))))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Mix, A::Error> {
                let weights =
                    BTreeMap::<String, f64>::deserialize(de::value::MapAccessDeserializer::new(map))?;
                for (name, weight) in &weights {
                    if Journey::of_mix(name).is_none() {
                        let names: Vec<&str> = Journey::ALL.iter().map(|journey| journey.name()).collect();
                        return Err(de::Error::custom(format!(
                            "unknown journey `{name}`; journeys: {}",
                            names.join(", ")
                        )));
                    }
                    // Negated, so that NaN is refused as well.
                    if !(0.0..=MAX_WEIGHT).contains(weight) {
                        return Err(de::Error::custom(format!(
                            "invalid weight of `{name}`: expected a number from 0 up to {MAX_WEIGHT}"
                        )));
                    }
                }
                Ok(Mix::Weights(weights))
            }
        }
        deserializer.deserialize_any(MixVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_sum_to_a_thousand() {
        for (name, mix) in PRESETS {
            assert_eq!(mix.iter().map(|(_, thousandths)| thousandths).sum::<u32>(), 1_000, "{name}");
        }
    }

    #[test]
    fn the_write_heavy_mix_has_the_writes_its_name_promises() {
        let writes = |name: &str| -> f64 {
            let weights = Mix::Preset(name.into()).weights().into_iter();
            weights.filter(|(journey, _)| journey.is_write()).map(|(_, weight)| weight).sum()
        };
        assert_eq!(writes("write-heavy"), 310.0);
        // A tenth of the default mix are writes, but for the log-ins, which leave nothing behind.
        assert_eq!(writes("pinterest-like"), 98.0);
    }

    #[test]
    fn a_table_may_use_the_short_names_and_leave_journeys_out() {
        let table = [("feed", 60.0), ("home-feed", 20.0), ("photo", 6.0), ("search", 0.0)];
        let mix = Mix::Weights(table.map(|(name, weight)| (name.to_owned(), weight)).into());
        assert_eq!(mix.weights(), [(Journey::HomeFeed, 80.0), (Journey::ViewPhoto, 6.0)]);
    }
}
