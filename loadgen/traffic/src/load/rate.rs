//! How many come, and how that changes over the phases.

use std::collections::BTreeMap;

use policy::units::{Rate, UnitError};
use serde::{Deserialize, Serialize, de};

/// A rate that may change over a phase: `"150/s"` or `"150/s -> 300/s"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// At the phase's start.
    pub from: Rate,
    /// At its end.
    pub to: Rate,
}

impl Ramp {
    /// The same rate throughout.
    pub const fn level(rate: Rate) -> Self {
        Self { from: rate, to: rate }
    }

    /// The higher end, per second.
    pub fn peak(&self) -> f64 {
        self.from.get().max(self.to.get())
    }

    /// Per second, `share` (0 to 1) of the way through.
    pub fn at(&self, share: f64) -> f64 {
        self.from.get() + (self.to.get() - self.from.get()) * share
    }
}

impl std::str::FromStr for Ramp {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text.split_once("->") {
            Some((from, to)) => Ok(Self { from: from.trim().parse()?, to: to.trim().parse()? }),
            None => text.parse().map(Self::level),
        }
    }
}

impl std::fmt::Display for Ramp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{} -> {}", self.from, self.to)
        }
    }
}

impl Serialize for Ramp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ramp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One rate, or one a phase. Phases without one keep the rate before them; those
/// before the first named one take the rate it begins with.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rates {
    /// The same throughout.
    One(Ramp),
    /// By phase name.
    ByPhase(BTreeMap<String, Ramp>),
}

impl Rates {
    /// The rates of phases of these names, in order; nothing comes where no rate is known.
    pub fn ramps(&self, phases: &[&str]) -> Vec<Ramp> {
        let table = match self {
            Self::One(ramp) => return vec![*ramp; phases.len()],
            Self::ByPhase(table) => table,
        };
        let first = phases.iter().find_map(|phase| table.get(*phase));
        let mut last = first.map_or(Rate::default(), |ramp| ramp.from);
        let mut ramps = Vec::with_capacity(phases.len());
        for phase in phases {
            let ramp = table.get(*phase).copied().unwrap_or(Ramp::level(last));
            last = ramp.to;
            ramps.push(ramp);
        }
        ramps
    }

    /// The highest of all, per second.
    pub fn peak(&self) -> f64 {
        match self {
            Self::One(ramp) => ramp.peak(),
            Self::ByPhase(table) => table.values().map(Ramp::peak).fold(0.0, f64::max),
        }
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Rates;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a rate such as \"150/s\", or a table of rates by phase")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rates, E> {
                text.parse().map(Rates::One).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Rates, A::Error> {
                BTreeMap::deserialize(de::value::MapAccessDeserializer::new(map)).map(Rates::ByPhase)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unnamed_phases_keep_the_last_rate_and_the_first_takes_the_first() {
        let table = [("steady", "150/s"), ("rush", "150/s -> 300/s")];
        let table = table.map(|(phase, ramp)| (phase.to_owned(), ramp.parse().expect("a ramp")));
        let rates = Rates::ByPhase(table.into());
        let shown: Vec<String> =
            rates.ramps(&["warm", "steady", "rush", "after"]).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["150/s", "150/s", "150/s -> 300/s", "300/s"]);
        assert_eq!(rates.peak(), 300.0);
    }

    #[test]
    fn a_ramp_reads_back_what_it_prints() {
        for text in ["150/s", "0.5/s", "150/s -> 300/s", "300/s -> 20/s"] {
            assert_eq!(text.parse::<Ramp>().expect(text).to_string(), text);
        }
        for bad in ["", "->", "1/s ->", "-> 1/s", "1/s -> 2/s -> 3/s", "30% of slowest"] {
            assert!(bad.parse::<Ramp>().is_err(), "{bad}");
        }
    }
}
