//! What a scenario says under `[load]`.

use std::collections::BTreeMap;

use policy::units::{Rate, Span};
use serde::{Deserialize, Serialize, de};

use crate::dataset::{Graph, Size};
use crate::journey::Journey;

/// How arrivals come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// By the clock, whatever the arms do. A closed loop would wait for slow
    /// answers and so hide them; it is not offered yet.
    #[default]
    Open,
}

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Independent of each other.
    #[default]
    Poisson,
    /// Evenly spaced.
    Constant,
}

/// What becomes of an arrival that finds no free slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overload {
    /// It waits, and the wait is felt.
    #[default]
    Queue,
    /// It is counted as dropped.
    Drop,
}

/// A rate that may change over a phase: `"150/s"` or `"150/s -> 300/s"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// At the phase's start.
    pub from: Rate,
    /// At its end.
    pub to: Rate,
}

impl std::str::FromStr for Ramp {
    type Err = policy::units::UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("->") {
            Some((from, to)) => Ok(Self { from: from.trim().parse()?, to: to.trim().parse()? }),
            None => text.parse().map(|rate| Self { from: rate, to: rate }),
        }
    }
}

impl std::fmt::Display for Ramp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{} -> {}", self.from, self.to) }
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

/// One rate, or one a phase; phases without one keep the rate before them, the
/// first takes the first there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rates {
    /// The same throughout.
    One(Ramp),
    /// By phase name.
    ByPhase(BTreeMap<String, Ramp>),
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

/// Which journeys, how often.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Mix {
    /// A named one.
    Preset(String),
    /// Weights by journey or group.
    Weights(BTreeMap<String, f64>),
}

impl Default for Mix {
    fn default() -> Self {
        Self::Preset("pinterest-like".into())
    }
}

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

impl<'de> Deserialize<'de> for Mix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
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
                let weights = BTreeMap::<String, f64>::deserialize(de::value::MapAccessDeserializer::new(map))?;
                for (name, weight) in &weights {
                    if Journey::of_mix(name).is_none() {
                        let names: Vec<&str> = Journey::ALL.iter().map(|journey| journey.name()).collect();
                        return Err(de::Error::custom(format!("unknown journey `{name}`; journeys: {}", names.join(", "))));
                    }
                    if !weight.is_finite() || *weight < 0.0 {
                        return Err(de::Error::custom(format!("the weight of `{name}` is no number from 0 up")));
                    }
                }
                Ok(Mix::Weights(weights))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Who is popular.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Popularity {
    /// Zipf exponent of readers' activity.
    pub reader: f64,
    /// Zipf exponent of photos.
    pub photo: f64,
}

impl Default for Popularity {
    fn default() -> Self {
        Self { reader: 0.8, photo: 1.0 }
    }
}

/// How feeds are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    /// Entries a timeline keeps.
    pub depth: u32,
    /// Items on a page.
    pub page: u32,
    /// Authors with fewer followers are fanned out on write.
    pub push_below: u32,
}

impl Default for Feed {
    fn default() -> Self {
        Self { depth: 800, page: 20, push_below: 1_000 }
    }
}

/// `[load]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Open or closed.
    #[serde(default)]
    pub model: Model,
    /// Arrivals per second and arm.
    pub rate: Rates,
    /// Which journeys, how often.
    #[serde(default)]
    pub mix: Mix,
    /// Longest a user waits for a whole journey's request.
    #[serde(default = "Load::default_timeout")]
    pub timeout: Span,
    /// An ok answer later than this is not good; `timeout` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_within: Option<Span>,
    /// How many users, photos and edges there are.
    #[serde(default)]
    pub size: Size,
    /// How arrivals are spread.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Shape of the follower graph.
    #[serde(default)]
    pub graph: Graph,
    /// Who is popular.
    #[serde(default)]
    pub popularity: Popularity,
    /// How feeds are kept.
    #[serde(default)]
    pub feed: Feed,
    /// What becomes of an arrival that finds no slot.
    #[serde(default)]
    pub overload: Overload,
    /// Slots per arm; computed unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<usize>,
    /// Arrivals that may wait per arm; computed unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_cap: Option<usize>,
}

/// More than this no generator on one machine offers honestly, per second and arm.
const FASTEST: f64 = 20_000.0;
/// Longest user patience, which is also how long a run may take to drain.
const LONGEST_TIMEOUT: Span = Span::from_millis(30_000);

impl Load {
    fn default_timeout() -> Span {
        Span::from_millis(2_000)
    }

    /// What is wrong with it, with the right choices; empty when nothing is.
    pub fn faults(&self, phases: &[&str]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |place: &str, ramp: &Ramp| {
            for rate in [ramp.from, ramp.to] {
                if rate.get() <= 0.0 {
                    faults.push(format!("{place}: a rate of {rate} offers nothing; write \"100/s\""));
                } else if rate.get() > FASTEST {
                    faults.push(format!("{place}: {rate} is impossible here; write at most {FASTEST}/s"));
                }
            }
        };
        match &self.rate {
            Rates::One(ramp) => check("rate", ramp),
            Rates::ByPhase(table) => {
                table.iter().for_each(|(phase, ramp)| check(&format!("rate in `{phase}`"), ramp));
                if table.is_empty() {
                    faults.push("rate: the table is empty; write rate = \"100/s\"".into());
                }
                for phase in table.keys().filter(|phase| !phases.contains(&phase.as_str())) {
                    faults.push(format!("rate: unknown phase `{phase}`; phases: {}", phases.join(", ")));
                }
            }
        }
        if self.weights().iter().all(|(_, weight)| *weight <= 0.0) {
            faults.push("mix: all weights are 0; nobody would come".into());
        }
        if self.timeout > LONGEST_TIMEOUT || self.timeout < Span::from_millis(1) {
            faults.push(format!("timeout: {} is out of range; write 1ms to {LONGEST_TIMEOUT}", self.timeout));
        }
        if self.feed.page == 0 || self.feed.page > 100 {
            faults.push("feed: a page has 1 to 100 items".into());
        }
        faults
    }

    /// Journeys and their weights, in the order of [`Journey::ALL`].
    pub fn weights(&self) -> Vec<(Journey, f64)> {
        let mut weights = BTreeMap::<Journey, f64>::new();
        match &self.mix {
            Mix::Preset(name) => {
                let preset = PRESETS.iter().find(|(preset, _)| preset == name);
                for (journey, thousandths) in preset.map_or(&[][..], |(_, mix)| mix) {
                    weights.insert(*journey, f64::from(*thousandths));
                }
            }
            Mix::Weights(table) => {
                for (name, weight) in table {
                    if let Some(journey) = Journey::of_mix(name) {
                        *weights.entry(journey).or_default() += weight;
                    }
                }
            }
        }
        weights.into_iter().collect()
    }

    /// Journeys that occur.
    pub fn journeys(&self) -> Vec<Journey> {
        self.weights().into_iter().filter(|(_, weight)| *weight > 0.0).map(|(journey, _)| journey).collect()
    }

    /// The rates of phases of these names, in order.
    pub fn ramps(&self, phases: &[&str]) -> Vec<Ramp> {
        match &self.rate {
            Rates::One(ramp) => vec![*ramp; phases.len()],
            Rates::ByPhase(table) => {
                let first = phases.iter().find_map(|phase| table.get(*phase)).copied();
                let nothing = Ramp { from: Rate::default(), to: Rate::default() };
                let mut last = first.map_or(nothing, |ramp| Ramp { to: ramp.from, ..ramp });
                let mut take = |phase: &&str| {
                    let ramp = table.get(*phase).copied().unwrap_or(Ramp { from: last.to, to: last.to });
                    last = ramp;
                    ramp
                };
                phases.iter().map(&mut take).collect()
            }
        }
    }

    /// The highest rate of the run, per second.
    pub fn peak_rate(&self) -> f64 {
        let highest = |ramp: &Ramp| ramp.from.get().max(ramp.to.get());
        match &self.rate {
            Rates::One(ramp) => highest(ramp),
            Rates::ByPhase(table) => table.values().map(highest).fold(0.0, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Load, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn presets_sum_to_a_thousand() {
        for (name, mix) in PRESETS {
            assert_eq!(mix.iter().map(|(_, thousandths)| thousandths).sum::<u32>(), 1_000, "{name}");
        }
    }

    #[test]
    fn unnamed_phases_keep_the_last_rate_and_the_first_takes_the_first() {
        let load = read("rate = { steady = \"150/s\", rush = \"150/s -> 300/s\" }").expect("reads");
        let ramps = load.ramps(&["warm", "steady", "rush", "after"]);
        let shown: Vec<String> = ramps.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["150/s", "150/s", "150/s -> 300/s", "300/s"]);
        assert_eq!(load.peak_rate(), 300.0);
    }

    #[test]
    fn nonsense_is_refused_with_the_right_choices() {
        for (text, part) in [
            ("rate = \"fast\"", "write \"280/s\""),
            ("rate = \"10/s\"\nmix = \"pintrest\"", "unknown mix `pintrest`; mixes: pinterest-like"),
            ("rate = \"10/s\"\nmix = { hom = 1 }", "unknown journey `hom`"),
            ("rate = \"10/s\"\nsize = \"huge\"", "`tiny`"),
            ("rate = \"10/s\"\nmodel = \"closed\"", "unknown variant `closed`"),
            ("rat = \"10/s\"", "unknown field `rat`"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
        for (text, part) in [
            ("rate = \"0/s\"", "offers nothing"),
            ("rate = \"500000/s\"", "impossible here"),
            ("rate = { stady = \"1/s\" }", "unknown phase `stady`"),
            ("rate = \"1/s\"\nmix = { search = 0 }", "all weights are 0"),
            ("rate = \"1/s\"\ntimeout = \"2m\"", "out of range"),
        ] {
            let faults = read(text).expect(text).faults(&["steady"]).join("\n");
            assert!(faults.contains(part), "{text}: {faults}");
        }
    }
}
