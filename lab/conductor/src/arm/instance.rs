//! One copy of one process: its state, its signals, and the limits in force on it.

mod limits;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use contract::ProcessPlan;
use nix::sys::signal::Signal;
use node::NodeConfig;
use runtime::limits::ResourceLimit;

use crate::arm::children::ChildProcess;
use crate::arm::config_file;
use crate::arm::layout::{self, InstanceTarget};
use crate::process::guardian::ProcessIdentity;

/// Condition of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Started, not serving yet.
    Starting,
    /// Serving.
    Up,
    /// Stopped by a signal.
    Paused,
    /// Ended.
    Down,
}

impl Health {
    /// As the record writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Paused => "paused",
            Self::Down => "down",
        }
    }
}

/// What becomes of an instance whose process has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing: its process runs, or stays down.
    None,
    /// A restart is under way.
    Pending,
    /// It died too often in succession.
    GivenUp {
        /// Restarts in succession.
        restarts: u32,
        /// How it ended last.
        reason: String,
    },
}

/// One copy of one process.
pub struct Instance {
    /// `feed#0`.
    pub name: String,
    /// Which process of the topology.
    pub process: ProcessPlan,
    /// Its configuration file.
    pub(super) config: PathBuf,
    /// Where its standard error goes.
    pub(super) log: PathBuf,
    /// The control group of its arm, where it has one.
    group: Option<PathBuf>,
    state: Mutex<InstanceState>,
    /// Held by what starts its process, or ends it.
    turn: tokio::sync::Mutex<()>,
}

/// What changes about an instance while it lives.
pub(super) struct InstanceState {
    pub(super) running: Option<Arc<ChildProcess>>,
    pub(super) health: Health,
    pub(super) listen: Option<SocketAddr>,
    pub(super) public: Option<SocketAddr>,
    pub(super) restarts: u32,
    pub(super) recovery: Recovery,
    pub(super) pid: u32,
    /// Steps that pause it: the process continues when the last has ended.
    pub(super) paused: u32,
    /// Limits in force, by step: they hold for a successor as well.
    limits: Vec<(u32, ResourceLimit, u64)>,
    /// Control groups it belongs to, by step, with the cores each leaves: the smallest holds. Step
    /// 0 is the topology.
    pub(super) cgroups: Vec<(u32, f64, PathBuf)>,
    /// What the limits were before the first of them.
    before: Vec<(ResourceLimit, Option<u64>)>,
    /// It is meant to end: it is not restarted.
    stopping: bool,
    /// Delay before the next restart, milliseconds, whatever the topology says.
    restart_delay_ms: Option<u64>,
    zone: String,
    /// The registered build it runs.
    pub(super) build: String,
}

impl InstanceState {
    fn is_alive(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.exit_status().is_none())
    }
}

/// What is known of an instance at one moment.
#[derive(Clone, Copy, Debug)]
pub struct InstanceStatus {
    /// Process id, also of one that has ended.
    pub pid: u32,
    /// Its condition.
    pub health: Health,
    /// Internal address.
    pub listen: Option<SocketAddr>,
    /// Public address, where it holds the gateway.
    pub public: Option<SocketAddr>,
    /// Restarts so far.
    pub restarts: u32,
}

impl Instance {
    /// An instance that has not started.
    pub(super) fn new(
        name: String,
        process: ProcessPlan,
        paths: (PathBuf, PathBuf),
        config: &NodeConfig,
    ) -> Self {
        let state = InstanceState {
            running: None,
            health: Health::Starting,
            listen: None,
            public: None,
            restarts: 0,
            recovery: Recovery::None,
            pid: 0,
            paused: 0,
            cgroups: Vec::new(),
            limits: Vec::new(),
            before: Vec::new(),
            stopping: false,
            restart_delay_ms: None,
            zone: config.zone.clone(),
            build: config.build.clone(),
        };
        let (config, log) = paths;
        let turn = tokio::sync::Mutex::default();
        Self { name, process, config, log, group: None, state: Mutex::new(state), turn }
    }

    /// The same in its arm's control group, whenever no quota keeps it in another.
    pub(super) fn in_group(self, group: Option<PathBuf>) -> Self {
        Self { group, ..self }
    }

    /// The turn to start its process, or to end it. A restart that is under way when a step deploys the copy is over first: two
    /// that start at once would both be there.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// What is known of it now.
    pub fn status(&self) -> InstanceStatus {
        let state = self.state();
        InstanceStatus {
            pid: state.pid,
            health: state.health,
            listen: state.listen,
            public: state.public,
            restarts: state.restarts,
        }
    }

    /// Components inside, gateway and registry included.
    pub fn hosts(&self) -> Vec<String> {
        layout::components_of(&self.process)
    }

    /// The process that runs now, so that it cannot be mistaken for another.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity::of(self.state().pid)
    }

    /// The instance as targets see it.
    pub fn target(&self) -> InstanceTarget {
        InstanceTarget { name: self.name.clone(), hosts: self.hosts(), zone: self.state().zone.clone() }
    }

    /// The registered build it runs.
    pub fn build(&self) -> String {
        self.state().build.clone()
    }

    /// The configuration that its process has, or the next will have; `None` where its file has gone.
    pub(crate) fn read_config(&self) -> Option<NodeConfig> {
        config_file::read_config(&self.config).ok()
    }

    /// What becomes of it when its process has ended.
    pub fn recovery(&self) -> Recovery {
        self.state().recovery.clone()
    }

    /// Whether it is meant to end.
    pub fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Sets whether it is meant to end.
    pub(super) fn set_stopping(&self, stopping: bool) {
        self.state().stopping = stopping;
    }

    /// Restarts it so long after its next death, whatever the topology says.
    pub(crate) fn restart_after(&self, millis: u64) {
        self.state().restart_delay_ms = Some(millis);
    }

    /// The delay that a step asked for, once.
    pub(super) fn take_restart_delay(&self) -> Option<u64> {
        self.state().restart_delay_ms.take()
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&self) -> std::io::Result<()> {
        self.running().map_or(Ok(()), |running| running.signal(Signal::SIGKILL))
    }

    /// Its process, running or ended.
    pub(super) fn running(&self) -> Option<Arc<ChildProcess>> {
        self.state().running.clone()
    }

    /// Whether a fault can act on its process.
    pub(crate) fn is_running(&self) -> bool {
        self.running().is_some_and(|running| running.is_running())
    }

    /// The id of its process, until it has ended.
    pub(crate) fn running_pid(&self) -> Option<u32> {
        self.running().filter(|running| running.exit_status().is_none()).map(|running| running.pid)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, InstanceState> {
        self.state.lock().expect("no panic while held")
    }
}
