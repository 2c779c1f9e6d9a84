//! How a run turned out: checks, costs, audits, the end.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::trace::is_zero;
use crate::{Interval, MachineSpeed, Measured, Note, Tracing};

/// A verdict, on an expectation or a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All checks true.
    Pass,
    /// Too few samples, or the interval straddles the limit.
    Inconclusive,
    /// A check is false.
    Fail,
    /// The run cannot be judged.
    Invalid,
}

impl Verdict {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
        }
    }

    /// Its sign beside the word: colour is never the only one.
    pub const fn sign(self) -> char {
        match self {
            Self::Pass => '✓',
            Self::Fail => '✗',
            Self::Inconclusive => '?',
            Self::Invalid => '!',
        }
    }
}

/// How an expectation stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Index into the header's expectations.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Arm letter; `-` where it compares arms.
    pub arm: char,
    /// Left side; `None` without samples.
    pub value: Option<f64>,
    /// 95 % interval of the left side, in its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// The left side lies beyond `value`, which is as far as was looked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_censored: bool,
    /// Right side.
    pub limit: Option<f64>,
    /// Unit of both.
    pub unit: String,
    /// How far the left side is from the right one, in that unit; negative beyond it. `None` where either is missing.
    #[serde(default)]
    pub margin: Option<f64>,
    /// Samples behind the left side.
    pub n: u64,
    /// Standing.
    pub verdict: Verdict,
    /// Why it is inconclusive or invalid, or what it is limited to; empty else.
    pub reason: String,
    /// What the verdict rests on where it is no interval: one event, an exact count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// Violated since, ns; `None` while it holds.
    pub since_ns: Option<u64>,
}

impl Check {
    /// The left side with what makes it believable.
    pub fn measured(&self) -> Measured {
        let Self { value, n, interval, is_censored, note, .. } = *self;
        Measured { value, n, interval, is_censored, note }
    }
}

/// An arm got ready for a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// Milliseconds from the start of its first process until it served.
    pub ready_ms: u64,
    /// How long its servers took until all accepted connections and had their databases, still empty, ms; 0 where the lab started none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub server_ready_ms: u64,
}

/// Where an arm's CPU and time went, summed over its processes in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// Phase name.
    pub phase: String,
    /// Journeys finished in it.
    pub journeys: u64,
    /// Hops per journey: requests on the wire, all edges, over journeys.
    pub hops: f64,
    /// CPU of all processes of the arm, ns, from `/proc`.
    pub cpu_total_ns: u64,
    /// CPU by part, ns, from the processes' own sampling.
    pub cpu_parts_ns: BTreeMap<String, u64>,
}

/// What the audit of acknowledged writes found in an arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// Writes acknowledged to the generator.
    pub acknowledged: u64,
    /// Found exactly once.
    pub found: u64,
    /// Not found: answers show that they are not there.
    pub lost: u64,
    /// Acknowledged, and not readable after the load: neither lost nor found. Also lists of authors that could not be read
    /// to look for what was never acknowledged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unverified: u64,
    /// Found more than once.
    pub duplicated: u64,
    /// Found although never acknowledged: answers that were lost.
    pub unacknowledged: u64,
    /// References to things that are gone.
    pub orphaned: u64,
    /// Digest of the final state, wall-clock fields left out.
    pub state_digest: Option<String>,
}

/// Last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Verdict of the run; `None` when interrupted.
    pub verdict: Option<Verdict>,
    /// Exit code of the program.
    pub exit_code: u8,
    /// Reasons for `invalid` or `inconclusive`, by lint or check, and notes, which leave the verdict alone.
    pub lints: Vec<Lint>,
    /// The generator fell behind.
    pub generator_saturated: bool,
    /// The machine was busy with other things.
    pub noisy: bool,
    /// Highest PSS of everything, MiB.
    pub pss_mib_peak: f64,
    /// Lines by kind.
    pub lines: BTreeMap<String, u64>,
    /// Updates views did not get.
    pub dropped_updates: u64,
    /// What became of the spans that reached the lab.
    #[serde(default)]
    pub tracing: Tracing,
    /// How fast the machine was after the load; absent of a run that was interrupted or simulated, and in records that do not
    /// have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<MachineSpeed>,
}

/// A reason not to believe a run, or a note on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lint {
    /// Stable name: `generator_lag`.
    pub name: String,
    /// What it makes of the verdict; `pass` of a note, which leaves it alone.
    pub verdict: Verdict,
    /// A sentence with the figures.
    pub text: String,
}

impl Lint {
    /// Whether it leaves the verdict alone.
    pub fn is_note(&self) -> bool {
        self.verdict == Verdict::Pass
    }

    /// What it makes of the verdict, in a word: a note is not the word of what passes.
    pub fn word(&self) -> &'static str {
        if self.is_note() { "note" } else { self.verdict.word() }
    }

    /// The sign beside that word.
    pub fn sign(&self) -> char {
        if self.is_note() { '~' } else { self.verdict.sign() }
    }
}
