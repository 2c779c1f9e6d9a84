//! What the lab tells the generator, and what the generator tells the lab.

use std::collections::BTreeMap;
use std::path::PathBuf;

use record::{Audit, Errors, Latencies, PhasePlan, Window};
use serde::{Deserialize, Serialize};
use traffic::load::Load;

/// What is offered to whom; written by the lab as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadPlan {
    /// Names the run in trace ids.
    pub run_id: String,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Round of an interleaved run, from 1.
    pub round: u32,
    /// Stretches of the load.
    pub phases: Vec<PhasePlan>,
    /// What the users do.
    pub load: Load,
    /// Deployments; each arrival is offered to all at the same instant.
    pub arms: Vec<ArmEndpoint>,
    /// Signs users' tokens.
    pub secret: String,
    /// Where everything but messages is printed.
    pub log: PathBuf,
    /// An ok answer later than this is not good, microseconds.
    pub good_within_us: u64,
    /// Whole request, its answer included, microseconds.
    pub timeout_us: u64,
    /// Whether acknowledged writes are looked for after the load.
    pub audit: bool,
    /// Share of journeys whose traces are kept.
    pub sample: f64,
    /// Threads that send.
    pub workers: usize,
    /// Cores it keeps to; all of them where empty.
    #[serde(default)]
    pub cores: Vec<usize>,
}

/// One deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArmEndpoint {
    /// Its letter.
    pub letter: char,
    /// Its name.
    pub name: String,
    /// Its public door, `http://127.0.0.1:8080`.
    pub url: String,
}

/// A line from the generator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// First: what it is about to do.
    Hello {
        /// Over all arrivals.
        schedule_digest: String,
        /// Arrivals per arm.
        planned: u64,
    },
    /// All slots have a warm connection.
    Ready {
        /// How long that took, ms.
        warm_ms: u64,
    },
    /// The load begins.
    Started,
    /// A second of one journey at one arm.
    Window(Box<Window>),
    /// Journeys that were traced and are over.
    Traced {
        /// Since the last time.
        journeys: Vec<TracedJourney>,
    },
    /// What the audit found in an arm.
    Audit(Audit),
    /// Last: totals.
    Summary(Box<Summary>),
    /// It cannot go on.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A journey whose spans somebody collects. Times are microseconds since the load's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedJourney {
    /// Arm letter.
    pub arm: char,
    /// Journey name.
    pub journey: String,
    /// Number of its arrival.
    pub request: u64,
    /// What the door is told of the trace: a `traceparent`.
    pub context: String,
    /// When it should have begun.
    pub due: u64,
    /// When its first request was sent.
    pub sent: u64,
    /// When its last answer was read.
    pub done: u64,
    /// Why it failed; empty if it did not.
    pub error: String,
}

/// What an arm was offered and gave, over the whole load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ArmTotals {
    /// Arrivals due.
    pub offered: u64,
    /// Sent.
    pub sent: u64,
    /// Answered as asked.
    pub ok: u64,
    /// Failed, by cause.
    pub errors: Errors,
    /// Dropped.
    pub dropped: u64,
    /// Abandoned.
    pub abandoned: u64,
    /// All answers, ok or not, from the intended start.
    pub intended: Latencies,
    /// The same answers as goose counted them: number, and 99th percentile in microseconds.
    pub goose: (u64, u64),
}

/// The generator's last word.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// By arm letter.
    pub arms: BTreeMap<char, ArmTotals>,
    /// CPU the generator used, ns.
    pub cpu_ns: u64,
    /// Whether it was told to stop early.
    pub cancelled: bool,
    /// What makes its figures void.
    pub problems: Vec<String>,
}
