//! Rows of the scorecard: a figure for each arm with what makes it believable, and what sets the arms apart.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A 95 % interval; without an upper end it is open. Written as `[low, high]`, an open end as `null`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(f64, Option<f64>)", into = "(f64, Option<f64>)")]
#[schemars(with = "(f64, Option<f64>)")]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end; `None` where the samples do not bound it.
    pub high: Option<f64>,
}

impl Interval {
    /// Both ends.
    pub const fn new(low: f64, high: f64) -> Self {
        Self { low, high: Some(high) }
    }

    /// At least `low`.
    pub const fn from(low: f64) -> Self {
        Self { low, high: None }
    }

    /// The upper end, infinite where it is open.
    pub fn upper(&self) -> f64 {
        self.high.unwrap_or(f64::INFINITY)
    }

    /// The same in another unit.
    #[must_use]
    pub fn scaled(self, by: f64) -> Self {
        Self { low: self.low * by, high: self.high.map(|high| high * by) }
    }

    /// Whether a value lies in it, ends included.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.upper()
    }
}

impl From<(f64, Option<f64>)> for Interval {
    fn from((low, high): (f64, Option<f64>)) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for (f64, Option<f64>) {
    fn from(interval: Interval) -> Self {
        (interval.low, interval.high)
    }
}

/// Why a figure has no interval, only a nominal one, or no finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Counted, by plan or by audit: there is nothing to estimate.
    Exact,
    /// One event of one run.
    ThisEvent,
    /// Seen once in each run: its spread shows over rounds only.
    OncePerRun,
    /// The window is too short for an interval.
    ShortWindow,
    /// Too few samples: no value is shown.
    TooFew,
    /// Enough samples for a value, too few for a finding.
    TooFewToJudge,
    /// Samples come in too few bursts: no value is shown.
    TooClustered,
    /// Queues couple the seconds: the interval is too narrow to decide.
    Queue,
    /// The interval covers less than 95 %.
    Nominal,
    /// The figure drifts within its window.
    NotSteady,
    /// Samples ended before their value was known.
    Censored,
    /// The arms lose different shares of their journeys.
    ArmsFailDifferently,
    /// Spans were lost on their way.
    SpansLost,
    /// Arms took turns, and fewer than three times.
    OneTurn,
    /// New processes may differ from these: the finding holds within this run.
    WithinThisRun,
    /// The machine was too busy for both arms.
    TooBusy,
    /// Much of the figure is the load generator's own lateness.
    LateSends,
    /// The ratio has no meaning without work, hop cost and hops, and they are not known.
    NoContext,
    /// One of the arms has no value.
    NotMeasured,
}

impl Note {
    /// In a few words, as tables write it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::ThisEvent => "this event",
            Self::OncePerRun => "once a run",
            Self::ShortWindow => "short window",
            Self::TooFew => "too few samples",
            Self::TooFewToJudge => "few samples",
            Self::TooClustered => "in bursts",
            Self::Queue => "queue",
            Self::Nominal => "nominal 95 %",
            Self::NotSteady => "not steady",
            Self::Censored => "not all ended",
            Self::ArmsFailDifferently => "fail unequally",
            Self::SpansLost => "spans lost",
            Self::OneTurn => "took turns once",
            Self::WithinThisRun => "within this run",
            Self::TooBusy => "machine busy",
            Self::LateSends => "late sends",
            Self::NoContext => "no context",
            Self::NotMeasured => "not measured",
        }
    }

    /// In a sentence, for reasons and for details.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Exact => "counted, not estimated",
            Self::ThisEvent => "one event: its interval comes from rounds",
            Self::OncePerRun => "seen once a run: its interval comes from rounds",
            Self::ShortWindow => "the window is too short for an interval: it takes 8 s, or three rounds",
            Self::TooFew => "too few samples for a value",
            Self::TooFewToJudge => "too few samples for a finding",
            Self::TooClustered => "samples come in too few bursts",
            Self::Queue => "queues couple the seconds: the interval is too narrow to decide",
            Self::Nominal => "nominal 95 %: the interval covers less",
            Self::NotSteady => "latency or CPU drifts within the window",
            Self::Censored => "not all samples ended, so the value is not known",
            Self::ArmsFailDifferently => "the arms fail differently: a ratio of latencies says nothing",
            Self::SpansLost => "spans were lost",
            Self::OneTurn => "the arms took turns fewer than three times",
            Self::WithinThisRun => "within this run: another start may differ by the margin",
            Self::TooBusy => "the machine was too busy for both arms",
            Self::LateSends => "over a tenth of it is the load generator's own lateness",
            Self::NoContext => "no ratio without work, hop cost and hops",
            Self::NotMeasured => "not measured in every arm",
        }
    }
}

/// A value with what makes it believable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// The value; `None` means no data, never 0.
    pub value: Option<f64>,
    /// Samples behind it.
    pub n: u64,
    /// 95 % interval.
    pub interval: Option<Interval>,
    /// The true value lies beyond `value`, which is as far as was looked: shown as `> 2 s`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_censored: bool,
    /// What is to be known of the interval, or why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither; it explains others.
    Neither,
}

/// What is concluded of two arms in one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// They differ, with the rate of false findings over all rows of the run controlled.
    Differs,
    /// They differ by less than the margin.
    Equivalent,
    /// Neither could be shown.
    Undecided,
}

impl Finding {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Equivalent => "equivalent",
            Self::Undecided => "undecided",
        }
    }
}

/// An arm against the base arm, in one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contrast {
    /// The arm over the base arm, where the row has ratios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Measured>,
    /// The arm less the base arm, in the row's unit, where the row has differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Measured>,
    /// What is concluded; `None` where nothing is.
    pub finding: Option<Finding>,
    /// Why nothing, or no more, is concluded; or what the finding is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// Undecided, although the interval alone excludes equality.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub differs_alone: bool,
    /// The effect that would have been found in four runs of five: `0.05` for 5 % of a ratio, or in the row's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub could_see: Option<f64>,
    /// Standard error: of the ratio's logarithm, or of the difference; only where a finding was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
}

/// A row of the scorecard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Stable id: `latency_p99`.
    pub id: String,
    /// The trade-off it measures, as on the scorecard's left.
    pub claim: String,
    /// In words: `p99 of all journeys, counted from when the request was due`.
    pub measure: String,
    /// Unit.
    pub unit: String,
    /// Which way is good.
    pub better: Better,
    /// Phase or `whole`.
    pub window: String,
    /// Id of the row it is a part of, in the same window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// Per arm letter.
    pub arms: BTreeMap<char, Measured>,
    /// Two arms that differ by less are called equivalent: 1.1 of a ratio, else in the row's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Every other arm against the base arm, by its letter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contrasts: BTreeMap<char, Contrast>,
    /// B over A with its interval, where both have data and A is not 0: that of the first contrast.
    pub ratio: Option<Measured>,
    /// What is to be known of it besides, each a sentence: relapses, what bursts allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Work, hop cost and hops, beside every latency or CPU ratio.
    #[serde(rename = "beside")]
    pub context: Option<String>,
    /// `differs`, `equivalent`, `undecided`, or why nothing is concluded, of the first contrast; a sentence where the row
    /// is one.
    pub finding: String,
}
