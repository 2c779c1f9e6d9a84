//! What an arm is started from, and why one did not start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::broker::BrokerAddress;
use contract::{Placement, ProcessPlan};
use fault::Target;
use node::NodeConfig;
use record::Resources;

use crate::arm::children::SpawnError;
use crate::arm::server_error::ServerError;
use crate::process::cgroup;

/// What an arm is started from.
#[derive(Clone, Debug)]
pub struct ArmPlan {
    /// `A`, `B`, ...
    pub letter: char,
    /// Its name.
    pub name: String,
    /// Its processes.
    pub processes: Vec<ProcessPlan>,
    /// How it is grouped, limited and restarted.
    pub placement: Placement,
    /// Configuration common to its nodes.
    pub config: NodeConfig,
    /// Its folder: databases, photo bytes, logs, configurations.
    pub folder: PathBuf,
    /// Requests that must be answered before it counts as ready.
    pub probes: Vec<String>,
    /// Threads that serve requests, in all its processes together.
    pub workers: u32,
    /// What they are given together, as they start.
    pub resources: Resources,
    /// Its control group, where arms have groups of the same weight.
    pub group: Option<PathBuf>,
    /// How its processes reach its servers, and what steps do to these.
    pub access: ServerAccess,
    /// Whether a dead process is restarted with a growing delay until it dies too often in succession, as in a suite that
    /// is kept up. In a run a dead process is a result: it comes back as its topology says.
    pub is_kept_up: bool,
}

/// How the processes of an arm reach its servers, and what steps do that has to be prepared.
#[derive(Clone, Debug, Default)]
pub struct ServerAccess {
    /// Connections on which steps act.
    pub faulted: Vec<Target>,
    /// Whether a step fills the broker's disk: then it has one of its own.
    pub fills_disk: bool,
    /// Where processes find the broker that do not reach it directly, by their names.
    pub brokers: BTreeMap<String, BrokerAddress>,
}

impl ArmPlan {
    /// The folder of a control group for one of its processes: in the arm's, where it has one. `None` where the machine
    /// has no quotas.
    pub fn group_for(&self, name: &str) -> Option<PathBuf> {
        match &self.group {
            Some(group) => Some(group.join(name)),
            None => cgroup::path_for(name),
        }
    }
}

/// Why an arm did not start.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// A process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A server of its databases or of its events.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The configuration of an instance could not be read or written.
    #[error("{path} cannot be written")]
    Config {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A process ended or stayed silent instead of serving.
    #[error("`{instance}` did not serve: {reason}{last_lines}; its log is {log}")]
    NotServing {
        /// Which.
        instance: String,
        /// What it did instead.
        reason: String,
        /// The end of its log.
        last_lines: String,
        /// Where more is logged.
        log: PathBuf,
    },
    /// All processes run, but the public port does not answer as it should.
    #[error("arm `{arm}` is not ready: {reason}")]
    NotReady {
        /// Which.
        arm: String,
        /// The last answer.
        reason: String,
    },
}

/// Why a suite cannot be kept up any longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuiteLoss {
    /// All processes are dead at once.
    #[error("all processes of the suite are dead, {processes} of {processes}; their logs are in {}", folder.display())]
    AllEnded {
        /// How many there were.
        processes: usize,
        /// Where their logs are.
        folder: PathBuf,
    },
    /// A process does not stay up.
    #[error("`{instance}` went down again after {restarts} restarts in succession: {reason}; its log is {}", log.display())]
    KeepsDying {
        /// Which.
        instance: String,
        /// Restarts in succession.
        restarts: u32,
        /// How it ended last.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
}
