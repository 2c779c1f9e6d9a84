//! What to run, why there was no run, and how one ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use record::{Build, Verdict};
use scenario::Scenario;
use scorecard::inference::StoredStarts;
use tokio::sync::watch;

use crate::arm::arm_plan::{ArmError, SuiteLoss};
use crate::arm::given_servers::GivenServers;
use crate::process::deployables::Deployables;
use crate::process::program::Program;
use crate::run::generator::GeneratorError;
use crate::run::seed::SeedError;

/// What to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The scenario, checked.
    pub scenario: Scenario,
    /// Seed to use.
    pub seed: u64,
    /// Arms to run, in order; the scenario's own when empty.
    pub arms: Vec<String>,
    /// The arm that the others are compared with; the first when not named.
    pub against: Option<String>,
    /// Whether arms take turns instead of running side by side.
    pub interleaved: bool,
    /// Rounds of an interleaved run.
    pub rounds: u32,
    /// Where run folders go.
    pub out: PathBuf,
    /// The program nodes and generator are started from.
    pub program: Program,
    /// The program's version, for the record.
    pub version: String,
    /// The command line, for the record.
    pub command: Vec<String>,
    /// When the program started.
    pub started_at: Instant,
    /// Lines of the record's log about how the options came about.
    pub notes: Vec<String>,
    /// By how much two starts of one program differ on this machine, where it is known.
    pub starts: StoredStarts,
    /// What its user calls it, to find it by.
    pub labels: Vec<String>,
    /// What was predicted of it.
    pub prediction: Option<record::Prediction>,
    /// Whether databases stay after the audit, whatever the verdict.
    pub keep_data: bool,
    /// The change that the scenario deploys, built.
    pub change: Option<BuiltChange>,
    /// Servers that are there already.
    pub given: GivenServers,
}

/// A change that was built for a run.
#[derive(Clone, Debug)]
pub struct BuiltChange {
    /// The programs before and after it: every process of every arm is one of these.
    pub deployables: Deployables,
    /// What it took, by the names of arms.
    pub builds: BTreeMap<String, Vec<Build>>,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run's folder.
    #[error("{path} cannot be written; choose another folder with --out")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A folder whose path the configurations of its processes cannot hold.
    #[error("{} is not UTF-8; choose another folder with --out", path.display())]
    FolderName {
        /// Which.
        path: PathBuf,
    },
    /// A change that is deployed and was not built.
    #[error("scenario `{0}` deploys a change, which only `cleave run {0}` builds")]
    NotBuilt(String),
    /// A size that only a simulation has.
    #[error("scenario `{0}` has [scale] or [sweep], and so is only simulated; write cleave predict {0}")]
    SimulatedOnly(String),
    /// Data that outlive their arm, on a server where they do not.
    #[error(
        "scenario `{0}` keeps its data from round to round, and on the server of --postgres they end with their arm; leave out --postgres"
    )]
    DataKept(String),
    /// Servers that are there already could not be asked.
    #[error(
        "the servers that are there already cannot be asked: no runtime starts; end a program that holds many files"
    )]
    Runtime(#[source] std::io::Error),
    /// An arm that the scenario does not have.
    #[error("{0}")]
    UnknownArm(String),
    /// No secrets, so that control endpoints would be open to every local user.
    #[error("the kernel gives no random bytes for the run's secrets; run where getrandom(2) is allowed")]
    Randomness(#[source] getrandom::Error),
    /// The data set.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// An arm.
    #[error(transparent)]
    Arm(#[from] ArmError),
    /// A suite that could not be kept up.
    #[error(transparent)]
    Suite(#[from] SuiteLoss),
    /// The generator.
    #[error(transparent)]
    Load(#[from] GeneratorError),
    /// The user's collector.
    #[error(transparent)]
    Otlp(#[from] telemetry::EndpointError),
    /// The metrics of the run.
    #[error(transparent)]
    Metrics(#[from] transport::serve::BindError),
    /// The record.
    #[error("the run record in {path} cannot be written; make room, or choose another folder with --out")]
    Record {
        /// The run's folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The record of a long run, when it is to be judged.
    #[error("the run record in {path} cannot be read back, and without it the run is not judged")]
    Recall {
        /// The run's folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No port for the spans.
    #[error("no free port on the loopback interface for traces; end a program that holds some")]
    Collector(#[source] std::io::Error),
    /// An arm that answered no request while its capacity was measured.
    #[error(
        "`{0}` answered no request while its capacity was measured; write an absolute rate such as \"100/s\""
    )]
    NoCapacity(String),
    /// Ctrl-C before there was anything to judge.
    #[error("interrupted before the load began")]
    Interrupted,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// `None` when it was interrupted.
    pub verdict: Option<Verdict>,
    /// Exit code of the program.
    pub exit_code: u8,
    /// The run's folder.
    pub folder: PathBuf,
}

/// How often the user asked to stop.
pub type Interrupts = watch::Receiver<u32>;
