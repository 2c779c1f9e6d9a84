//! The lab's plan for the load generator, the generator's messages to the lab, and what both must know of a load. A crate of its
//! own: the conductor needs these types, and not goose, which takes long to compile.

use std::collections::BTreeMap;
use std::path::PathBuf;

use record::{Audit, Errors, Latencies, PhasePlan, Window};
use serde::{Deserialize, Serialize};
use traffic::load::Load;

/// Every seeded user's password.
pub const PASSWORD: &str = "correct horse battery staple";
/// Longest poll for a write, microseconds.
pub const PROBE_TIMEOUT_US: u64 = 2_000_000;

/// The environment variable that holds the secret of users' tokens.
pub const SECRET_VARIABLE: &str = "CLEAVE_SECRET";

/// The lab's line that goes on to the next of the rates that are offered on request.
pub const FURTHER_COMMAND: &str = "further";
/// The lab's line that ends such a load: nothing more is sent.
pub const END_COMMAND: &str = "end";

/// The load and the arms it is offered to; the lab writes it as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadPlan {
    /// Id of the run, part of trace ids.
    pub run_id: String,
    /// Seed of the data set and, with the round, of all draws.
    pub seed: u64,
    /// Round of an interleaved run, from 1.
    pub round: u32,
    /// Phases of the load.
    pub phases: Vec<PhasePlan>,
    /// When rates begin that are offered on request only, microseconds since the load's start: at each the load ends, unless
    /// [`FURTHER_COMMAND`] has come for it.
    #[serde(default)]
    pub further_from_us: Vec<u64>,
    /// The load.
    pub load: Load,
    /// The arms; each arrival is offered to all at the same instant.
    pub arms: Vec<ArmEndpoint>,
    /// Signs users' tokens. Empty in the file: it is in [`SECRET_VARIABLE`] of the generator's environment.
    pub secret: String,
    /// File for all output but messages.
    pub log: PathBuf,
    /// A successful response later than this is not good, microseconds.
    pub good_within_us: u64,
    /// Timeout of a request including its response, microseconds.
    pub timeout_us: u64,
    /// Whether acknowledged writes are verified after the load.
    pub audit: bool,
    /// Share of journeys whose traces are kept.
    pub sample: f64,
    /// Worker threads of the runtime.
    pub workers: usize,
    /// Cores it may use; all if empty.
    #[serde(default)]
    pub cores: Vec<usize>,
}

impl LoadPlan {
    /// Length of the load, ns.
    pub fn length_ns(&self) -> u64 {
        self.phases.last().map_or(0, |last| last.start_ns + last.length_ns)
    }

    /// Length of the load, seconds begun.
    pub fn seconds(&self) -> u32 {
        u32::try_from(self.length_ns().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
    }
}

/// The gateway of an arm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArmEndpoint {
    /// Letter of the arm.
    pub letter: char,
    /// Name of the arm.
    pub name: String,
    /// Base URL of its gateway, `http://127.0.0.1:8080`.
    pub url: String,
}

/// A message of the generator, one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// The first message: the schedule.
    Hello {
        /// Digest of all arrivals of the round.
        schedule_digest: String,
        /// Arrivals per arm.
        planned: u64,
    },
    /// All slots have a warm connection, and every arm was asked one journey of every kind.
    Ready {
        /// Time of the warm-up, ms.
        warm_ms: u64,
        /// A sentence for each journey that an arm did not answer as asked.
        #[serde(default)]
        unready: Vec<String>,
    },
    /// The load starts.
    Started,
    /// Figures of one journey at one arm in one second.
    Window(Box<Window>),
    /// Traced journeys that have ended.
    Traced {
        /// Since the last such message.
        journeys: Vec<TracedJourney>,
    },
    /// Result of the audit of an arm.
    Audit(Audit),
    /// The last message: totals.
    Summary(Box<Summary>),
    /// The generator failed.
    Failed {
        /// The error.
        reason: String,
    },
}

/// A traced journey. Times are microseconds since the load's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedJourney {
    /// Arm letter.
    pub arm: char,
    /// Journey name.
    pub journey: String,
    /// Number of its arrival.
    pub request: u64,
    /// The `traceparent` header of its requests.
    pub context: String,
    /// When it should have begun.
    pub due: u64,
    /// When its first request was sent.
    pub sent: u64,
    /// When its last response was read.
    pub done: u64,
    /// When each of its requests was sent, and its response read.
    pub exchanges: Vec<(u64, u64)>,
    /// Cause of its failure; empty if it succeeded.
    pub error: String,
}

/// Totals of an arm over the whole load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadTotals {
    /// Arrivals due.
    pub offered: u64,
    /// Sent.
    pub sent: u64,
    /// Successful journeys.
    pub ok: u64,
    /// Failed, by cause.
    pub errors: Errors,
    /// Dropped.
    pub dropped: u64,
    /// Abandoned.
    pub abandoned: u64,
    /// Latency of all responses, counted from when each was due.
    pub intended: Latencies,
    /// The same as counted by goose: number of responses, and p99 in microseconds.
    pub goose: (u64, u64),
}

/// The generator's last message.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// By arm letter.
    pub arms: BTreeMap<char, LoadTotals>,
    /// CPU the generator used, ns.
    pub cpu_ns: u64,
    /// Whether the load was stopped early.
    pub cancelled: bool,
    /// Problems that make its figures invalid.
    pub problems: Vec<String>,
}
