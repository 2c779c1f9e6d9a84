//! `[load]` of a scenario.
//!
//! - [`rate`]: arrivals per second, by phase.
//! - [`mix`]: shares of the journeys.
//! - Here: the section as a whole. `diagnostics`: what of it cannot be offered.

mod diagnostics;
pub mod mix;
pub mod rate;
mod shape;

use std::collections::BTreeMap;
use std::path::PathBuf;

use policy::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::mix::Mix;
pub use self::rate::Rates;
pub use self::shape::Shape;
use crate::arrival_trace::{self, TraceRow};
use crate::dataset::Size;
use crate::follow_graph::Graph;
use crate::journey::Journey;

/// How arrivals are generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// At times that are independent of the arms' responses.
    #[default]
    Open,
    /// From users who wait for a response and think before the next request. Slow responses
    /// reduce the load: claims on latency and capacity are inconclusive.
    Closed,
}

/// `{ count = 50, think = "1s" }`: the users of a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// Number of users.
    pub count: u32,
    /// Think time between two journeys.
    #[serde(default)]
    pub think: HumanDuration,
}

/// Distribution of the times between arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Exponential: arrivals are independent of each other.
    #[default]
    Poisson,
    /// Constant: evenly spaced.
    Constant,
}

/// What happens to an arrival that finds no free slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overload {
    /// It waits, and the wait counts as latency.
    #[default]
    Queue,
    /// It is counted as dropped.
    Drop,
}

/// How authors of new photos are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Authors {
    /// In proportion to the square root of their followers.
    #[default]
    SqrtFollowers,
}

/// Skew of users' activity and of photos' popularity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Popularity {
    /// Zipf exponent of readers' activity; 0 is uniform.
    pub reader: f64,
    /// Zipf exponent of photos; 0 is uniform.
    pub photo: f64,
    /// How authors of new photos are chosen.
    pub author: Authors,
}

impl Default for Popularity {
    fn default() -> Self {
        Self { reader: 0.8, photo: 1.0, author: Authors::SqrtFollowers }
    }
}

/// Options of home feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    /// Entries kept in a timeline.
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

/// A time range in which the rate is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surge {
    /// Start, ns since the load's start.
    pub start_ns: u64,
    /// End.
    pub end_ns: u64,
    /// Time to reach the full factor, ns.
    pub ramp_ns: u64,
    /// The factor.
    pub by: f64,
}

impl Surge {
    /// The factor at a time.
    pub fn at(&self, at_ns: u64) -> f64 {
        if !(self.start_ns..self.end_ns).contains(&at_ns) {
            return 1.0;
        }
        let risen = if self.ramp_ns == 0 {
            1.0
        } else {
            ((at_ns - self.start_ns) as f64 / self.ramp_ns as f64).min(1.0)
        };
        1.0 + (self.by - 1.0) * risen
    }
}

/// `[load]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Open or closed.
    #[serde(default)]
    pub model: Model,
    /// Arrivals per second and arm; in a closed loop no time, but how many journeys the users begin at most, all phases together.
    #[serde(default)]
    pub rate: Rates,
    /// A file of arrivals that replaces the rate, in the scenario's folder: rows below the line `offset_us,journey,user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<PathBuf>,
    /// Rows of the trace, filled in by the reader of the scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub rows: Vec<TraceRow>,
    /// Users of a closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Users>,
    /// Shares of the journeys.
    #[serde(default)]
    pub mix: Mix,
    /// Longest wait for a complete response.
    #[serde(default = "Load::default_timeout")]
    pub timeout: HumanDuration,
    /// Attempts of a user in all: a failed page is reloaded at once.
    #[serde(default = "default_attempts", skip_serializing_if = "is_default_attempts")]
    pub attempts: u32,
    /// A successful response later than this is not good; `timeout` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_within: Option<HumanDuration>,
    /// Size of the data set: users, photos, edges.
    #[serde(default)]
    pub size: Size,
    /// Distribution of the times between arrivals.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Shape of the follower graph.
    #[serde(default)]
    pub graph: Graph,
    /// Skew of users' activity and of photos' popularity.
    #[serde(default)]
    pub popularity: Popularity,
    /// Options of home feeds.
    #[serde(default)]
    pub feed: Feed,
    /// Time ranges with a multiplied rate, from the scenario's load steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub surges: Vec<Surge>,
    /// How many rates beyond the highest declared a search for capacity may go on to, each half as high again; 4 unless set,
    /// 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = MAX_FURTHER_RATES))]
    pub further_rates: Option<u32>,
    /// Rates of phases beyond the declared, by name, filled in where a search for capacity may go on to them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub further: BTreeMap<String, Shape>,
    /// What happens to an arrival that finds no slot.
    #[serde(default)]
    pub overload: Overload,
    /// Phases in which more is offered than the arms can do, on purpose: failures there are a result, not a mistake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overloaded: Vec<String>,
    /// Slots per arm; computed unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<usize>,
    /// Arrivals that may wait per arm; computed unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_cap: Option<usize>,
}

const fn default_attempts() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_default_attempts(attempts: &u32) -> bool {
    *attempts == 1
}

/// Highest rate per second and arm that one generator can offer accurately.
pub const MAX_RATE: f64 = 20_000.0;
/// More rates beyond the highest declared than a search goes on to: the eighth is 26 times as high.
pub const MAX_FURTHER_RATES: u32 = 8;
/// A slot is a request in flight; more than this measures the generator.
const MAX_SLOTS: usize = 1_000;
/// Below this a slow second at a low rate already queues; a scenario may still ask for fewer.
const MIN_SLOTS: usize = 32;
impl Load {
    /// Its keys in a scenario. `surges` and `further` are none: they are filled from load steps, and for a search.
    pub const KEYS: [&str; 18] = [
        "model",
        "rate",
        "users",
        "mix",
        "timeout",
        "attempts",
        "good_within",
        "size",
        "arrivals",
        "graph",
        "popularity",
        "feed",
        "further_rates",
        "overload",
        "overloaded",
        "pool",
        "queue_cap",
        "trace",
    ];

    fn default_timeout() -> HumanDuration {
        HumanDuration::from_millis(5_000)
    }

    /// Journeys that occur and their weights, in the order of [`Journey::ALL`].
    pub fn weights(&self) -> Vec<(Journey, f64)> {
        if self.rows.is_empty() {
            return self.mix.weights();
        }
        let count = |journey| self.rows.iter().filter(|row| row.journey == journey).count();
        let counts = Journey::ALL.into_iter().map(|journey| (journey, count(journey) as f64));
        counts.filter(|(_, count)| *count > 0.0).collect()
    }

    /// Journeys that occur.
    pub fn journeys(&self) -> Vec<Journey> {
        self.weights().into_iter().map(|(journey, _)| journey).collect()
    }

    /// The rates of phases of these names, in order.
    pub fn shapes(&self, phases: &[&str]) -> Vec<Shape> {
        let mut shapes = self.rate.shapes(phases);
        for (shape, phase) in shapes.iter_mut().zip(phases) {
            if let Some(further) = self.further.get(*phase) {
                shape.clone_from(further);
            }
        }
        shapes
    }

    /// The highest rate of all that may be offered, per second.
    pub(crate) fn highest_rate(&self) -> f64 {
        self.further.values().map(Shape::peak).fold(self.peak_rate(), f64::max)
    }

    /// The highest declared rate of the run, per second.
    pub fn peak_rate(&self) -> f64 {
        self.rate.peak().max(arrival_trace::peak_rate(&self.rows))
            * self.surges.iter().map(|surge| surge.by).product::<f64>()
    }

    /// A successful response later than this is not good.
    pub fn longest_good(&self) -> HumanDuration {
        self.good_within.unwrap_or(self.timeout)
    }

    /// Slots per arm, each for one request in flight: as many as needed, at least 32, at most 1,000.
    pub fn slots(&self) -> usize {
        if let Some(users) = self.users {
            return users.count as usize;
        }
        self.pool.unwrap_or(self.needed_slots().clamp(MIN_SLOTS, MAX_SLOTS))
    }

    /// Slots that suffice even if no request is answered: by Little's law the peak rate times the
    /// longest wait, all attempts included, plus a quarter. In a closed loop one per user.
    pub fn needed_slots(&self) -> usize {
        if let Some(users) = self.users {
            return users.count as usize;
        }
        let longest_wait_s = self.timeout.duration().as_secs_f64() * f64::from(self.attempts);
        (self.peak_rate() * longest_wait_s * 1.25).ceil() as usize
    }

    /// Arrivals that may wait for a slot: ten seconds of the peak.
    pub fn queue_limit(&self) -> usize {
        self.queue_cap.unwrap_or((self.peak_rate() * 10.0).ceil() as usize).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Load, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_rate_is_all_a_load_needs() {
        let load = read("rate = \"10/s\"").expect("reads");
        assert_eq!(load.diagnostics(&["steady"]), Vec::<String>::new());
        assert_eq!((load.size, load.timeout), (Size::Standard, HumanDuration::from_millis(5_000)));
        assert_eq!((load.feed.depth, load.feed.page, load.feed.push_below), (800, 20, 1_000));
    }

    #[test]
    fn everything_written_out_is_what_is_left_out() {
        let written = read(
            r#"
            model      = "open"
            rate       = "10/s"
            mix        = "pinterest-like"
            timeout    = "5s"
            size       = "standard"
            arrivals   = "poisson"
            graph      = { followers = "pareto", alpha = 1.35, mean = 40, cap = 0.20, following_sigma = 1.0 }
            popularity = { reader = 0.8, photo = 1.0, author = "sqrt-followers" }
            feed       = { depth = 800, page = 20, push_below = 1000 }
            overload   = "queue"
            "#,
        );
        let written = written.expect("reads");
        assert_eq!(written, read("rate = \"10/s\"").expect("reads"));
        let text = serde_json::to_string(&written).expect("plain data");
        assert_eq!(serde_json::from_str::<Load>(&text).expect("its own text"), written);
    }

    #[test]
    fn nonsense_is_refused_with_the_right_choices() {
        for (text, part) in [
            ("rate = \"fast\"", "e.g. \"280/s\""),
            ("rate = 280", "a rate such as \"150/s\""),
            ("rate = \"10/s\"\nmix = \"pintrest\"", "unknown mix `pintrest`; mixes: pinterest-like"),
            ("rate = \"10/s\"\nmix = { hom = 1 }", "unknown journey `hom`"),
            ("rate = \"10/s\"\nmix = { search = -1 }", "expected a number from 0 up"),
            ("rate = \"10/s\"\nmix = { search = 1e308 }", "up to 1000000"),
            ("rate = \"10/s\"\nmix = { search = nan }", "up to 1000000"),
            ("rate = \"10/s\"\nsize = \"huge\"", "`tiny`"),
            ("rate = \"10/s\"\nmodel = \"shut\"", "unknown variant `shut`"),
            ("rat = \"10/s\"", "unknown field `rat`"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
