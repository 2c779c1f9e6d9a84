//! Arrivals per second, for the whole run or by phase.

use std::borrow::Cow;
use std::collections::BTreeMap;

use policy::units::schema::patterns;
use policy::units::{Rate, Ratio};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};

use super::shape::{self, Shape};

/// One rate, or one per phase. A phase without a rate keeps the last rate before it; phases before the
/// first named one get the rate that one begins with.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rates {
    /// The same throughout.
    One(Shape),
    /// A share of the slowest arm's capacity; measured, and made absolute, before the run.
    #[serde(serialize_with = "of_slowest")]
    OfSlowest(Ratio),
    /// By phase name.
    ByPhase(BTreeMap<String, Shape>),
}

/// Suffix of a share.
const OF_SLOWEST: &str = "of slowest";

fn of_slowest<S: serde::Serializer>(share: &Ratio, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{share} {OF_SLOWEST}"))
}

impl JsonSchema for Rates {
    fn schema_name() -> Cow<'static, str> {
        "Rates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = format!("^ *(?:{}|{} *{OF_SLOWEST}) *$", shape::pattern(), patterns::ratio());
        json_schema!({
            "description": "arrivals per second and arm, the same throughout or by phase",
            "examples": ["280/s", "150/s -> 300/s", "30% of slowest", { "steady": "150/s" }],
            "anyOf": [
                { "type": "string", "pattern": one },
                { "type": "object", "additionalProperties": generator.subschema_for::<Shape>() },
            ],
        })
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::ByPhase(BTreeMap::new())
    }
}

impl Rates {
    /// The shapes of phases of these names, in order; rate 0 where none is known.
    pub fn shapes(&self, phases: &[&str]) -> Vec<Shape> {
        let table = match self {
            Self::One(shape) => return vec![shape.clone(); phases.len()],
            Self::OfSlowest(_) => return vec![Shape::default(); phases.len()],
            Self::ByPhase(table) => table,
        };
        let first = phases.iter().find_map(|phase| table.get(*phase));
        let mut last = first.map_or(Rate::default(), Shape::first);
        let mut shapes = Vec::with_capacity(phases.len());
        for phase in phases {
            let shape = table.get(*phase).cloned().unwrap_or(Shape::level(last));
            last = shape.last();
            shapes.push(shape);
        }
        shapes
    }

    /// All of them so many times as high; a share of a capacity is as it was.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        match self {
            Self::One(shape) => Self::One(shape.times(factor)),
            Self::OfSlowest(share) => Self::OfSlowest(*share),
            Self::ByPhase(table) => {
                let times = |(phase, shape): (&String, &Shape)| (phase.clone(), shape.times(factor));
                Self::ByPhase(table.iter().map(times).collect())
            }
        }
    }

    /// The highest of all, per second.
    pub fn peak(&self) -> f64 {
        match self {
            Self::One(shape) => shape.peak(),
            Self::OfSlowest(_) => 0.0,
            Self::ByPhase(table) => table.values().map(Shape::peak).fold(0.0, f64::max),
        }
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RatesVisitor;
        impl<'de> de::Visitor<'de> for RatesVisitor {
            type Value = Rates;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a rate such as \"150/s\", or a table of rates by phase")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rates, E> {
                match text.trim_matches(' ').strip_suffix(OF_SLOWEST) {
                    Some(share) => share.parse().map(Rates::OfSlowest).map_err(E::custom),
                    None => text.parse().map(Rates::One).map_err(E::custom),
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Rates, A::Error> {
                BTreeMap::deserialize(de::value::MapAccessDeserializer::new(map)).map(Rates::ByPhase)
            }
        }
        deserializer.deserialize_any(RatesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_slowest_reads_back() {
        let rates: Rates = serde_json::from_str("\"30% of slowest\"").expect("a rate");
        assert_eq!(rates, Rates::OfSlowest(Ratio::new(0.3)));
        assert_eq!(serde_json::to_string(&rates).expect("plain data"), "\"30% of slowest\"");
    }

    #[test]
    fn unnamed_phases_keep_the_last_rate_and_the_first_takes_the_first() {
        let table = [("steady", "150/s"), ("rush", "150/s -> 300/s")];
        let table = table.map(|(phase, shape)| (phase.to_owned(), shape.parse().expect("a shape")));
        let rates = Rates::ByPhase(table.into());
        let shown: Vec<String> =
            rates.shapes(&["warm", "steady", "rush", "after"]).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["150/s", "150/s", "150/s -> 300/s", "300/s"]);
        assert_eq!(rates.peak(), 300.0);
        assert_eq!(rates.times(1_000.0).shapes(&["rush"])[0].to_string(), "150000/s -> 300000/s");
    }
}
