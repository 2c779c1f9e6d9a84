//! One copy of one process: started, looked at, signalled, ended.

mod limits;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::ProcessPlan;
use contract::placement::Limits;
use hyper::Method;
use nix::sys::signal::Signal;
use node::NodeConfig;
use runtime::limits::ResourceLimit;
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::arm::children::{ChildProcess, ChildSpec, SpawnError, describe_exit};
use crate::arm::{ArmPlan, RunEnvironment};
use crate::process::guardian::{ProcessIdentity, UndoAction};
use crate::steps::targets;

/// A process that has not said it serves by then does not start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Time a process has to drain before it is killed.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// glibc gives each thread an arena and returns little of it, and once a block of some size was given back it takes
/// such blocks from there as well: a password's hash takes 7 MiB, and would be kept as often as threads made one.
const MALLOC_ENVIRONMENT: [(&str, &str); 2] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "4194304")];
/// Niceness of every process of an arm: cores are shared 3 to 1 with whoever has none (sched(7)).
const ARM_NICENESS: u8 = 5;
/// The greatest niceness.
const MAX_NICENESS: u8 = 19;
/// In the place of a step's number: what the topology says.
const TOPOLOGY_STEP: u32 = 0;
/// How long a child that closed its output may take to end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Why an arm did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// A process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its configuration could not be written.
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
        /// Its last words.
        last_lines: String,
        /// Where it may say more.
        log: PathBuf,
    },
    /// All run, but the door does not answer as it should.
    #[error("arm `{arm}` is not ready: {reason}")]
    NotReady {
        /// Which.
        arm: String,
        /// The last answer.
        reason: String,
    },
}

/// What a node says on its first line.
#[derive(Clone, Copy, Debug, Deserialize)]
struct ServingAddresses {
    listen: SocketAddr,
    public: Option<SocketAddr>,
}

/// How an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// On its way.
    Starting,
    /// Serving.
    Up,
    /// Stopped by a signal.
    Paused,
    /// Gone.
    Down,
}

impl Health {
    /// In the record's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Paused => "paused",
            Self::Down => "down",
        }
    }
}

/// One copy of one process.
pub struct Instance {
    /// `feed#0`.
    pub name: String,
    /// Which process of the topology.
    pub process: ProcessPlan,
    config: PathBuf,
    log: PathBuf,
    state: Mutex<InstanceState>,
}

pub(crate) struct InstanceState {
    running: Option<Arc<ChildProcess>>,
    pub(crate) health: Health,
    listen: Option<SocketAddr>,
    public: Option<SocketAddr>,
    pub(crate) restarts: u32,
    pid: u32,
    /// Leases on pausing: the process goes on when the last has ended.
    paused: u32,
    /// Limits in force, by step: they hold for a successor as well.
    limits: Vec<(u32, ResourceLimit, u64)>,
    /// Control groups it belongs to, by step, with the cores each leaves: the smallest holds. Step
    /// 0 is the topology.
    cgroups: Vec<(u32, f64, PathBuf)>,
    /// What the limits were before the first of them.
    before: Vec<(ResourceLimit, Option<u64>)>,
    /// It is meant to end: nobody brings it back.
    stopping: bool,
    /// Wait before it is brought back, milliseconds, whatever the topology says.
    restart_delay_ms: Option<u64>,
    /// Where it stands.
    zone: String,
    /// What it runs.
    build: String,
}

impl InstanceState {
    fn is_alive(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.exit_status().is_none())
    }
}

/// A glance at an instance.
#[derive(Clone, Copy, Debug)]
pub struct InstanceStatus {
    /// Process id, also of one that is gone.
    pub pid: u32,
    /// How it is.
    pub health: Health,
    /// Internal address.
    pub listen: Option<SocketAddr>,
    /// Public address of a door.
    pub public: Option<SocketAddr>,
    /// Restarts so far.
    pub restarts: u32,
}

impl Instance {
    /// How it is now.
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

    /// Whether it holds a component; the door and the registry count.
    pub fn holds(&self, component: &str) -> bool {
        self.hosts().iter().any(|host| host == component)
    }

    /// Components inside, door and registry included.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = Vec::new();
        hosts.extend(self.process.registry.then(|| "registry".to_owned()));
        hosts.extend(self.process.gateway.then(|| "gateway".to_owned()));
        hosts.extend(self.process.hosts.iter().map(ToString::to_string));
        hosts
    }

    /// The process that runs now, so that it cannot be mistaken for another.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity::of(self.state().pid)
    }

    /// As far as targets go.
    pub fn target(&self) -> targets::InstanceTarget {
        targets::InstanceTarget {
            name: self.name.clone(),
            hosts: self.hosts(),
            zone: self.state().zone.clone(),
        }
    }

    /// What it runs: a registered build.
    pub fn build(&self) -> String {
        self.state().build.clone()
    }

    /// Whether it is meant to end.
    pub fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Says whether it is meant to end.
    pub(crate) fn set_stopping(&self, stopping: bool) {
        self.state().stopping = stopping;
    }

    /// The next death is followed by a restart so long after, whatever the topology says.
    pub(crate) fn restart_after(&self, millis: u64) {
        self.state().restart_delay_ms = Some(millis);
    }

    /// How long after a death it is brought back, where a step said so.
    pub(crate) fn take_restart_delay(&self) -> Option<u64> {
        self.state().restart_delay_ms.take()
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&self) -> std::io::Result<()> {
        self.running().map_or(Ok(()), |running| running.signal(Signal::SIGKILL))
    }

    pub(crate) fn running(&self) -> Option<Arc<ChildProcess>> {
        self.state().running.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, InstanceState> {
        self.state.lock().expect("no panic while held")
    }
}

/// Every arm stands back behind the generator, further where the topology says so: an arrival is
/// sent when it is due, however busy the arms keep the cores.
fn below_generator(limits: Limits) -> Limits {
    let nice = ARM_NICENESS + limits.nice.unwrap_or(0);
    Limits { nice: Some(nice.min(MAX_NICENESS)), ..limits }
}

/// Writes an instance's configuration; nothing runs yet. `change` makes it differ
/// from its peers: another build, another weight.
pub(crate) fn prepare(
    plan: &ArmPlan,
    process: &ProcessPlan,
    copy: u32,
    registry: Option<SocketAddr>,
    change: &dyn Fn(&mut NodeConfig),
) -> Result<Instance, ArmError> {
    let name = format!("{}#{copy}", process.name);
    let mut config = NodeConfig {
        instance: name.clone(),
        process: process.clone(),
        processes: plan.processes.clone(),
        registry: registry.map(Into::into),
        limits: below_generator(plan.placement.limits_of(&process.name)),
        zone: plan.placement.zone_of(&process.name, copy).to_owned(),
        ..plan.config.clone()
    };
    change(&mut config);
    let (zone, build) = (config.zone.clone(), config.build.clone());
    let path = plan.folder.join(format!("{name}.json"));
    write_config(&path, &config)?;
    let state = InstanceState {
        running: None,
        health: Health::Starting,
        listen: None,
        public: None,
        restarts: 0,
        pid: 0,
        paused: 0,
        cgroups: Vec::new(),
        limits: Vec::new(),
        before: Vec::new(),
        stopping: false,
        restart_delay_ms: None,
        zone,
        build,
    };
    let log = plan.folder.join(format!("{name}.log"));
    Ok(Instance { name, process: process.clone(), config: path, log, state: Mutex::new(state) })
}

fn write_config(path: &Path, config: &NodeConfig) -> Result<(), ArmError> {
    let text = serde_json::to_vec_pretty(config).expect("a configuration is plain data");
    std::fs::write(path, text).map_err(|source| ArmError::Config { path: path.to_owned(), source })
}

/// Starts the process and waits for its first line; its ports are then written
/// down, so that a restart comes back where everybody looks for it.
pub(crate) async fn launch(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    instance: Arc<Instance>,
) -> Result<(), ArmError> {
    let spec = ChildSpec {
        name: format!("{}/{}", plan.name, instance.name),
        program: environment.program.clone(),
        arguments: vec!["node".into(), "--config".into(), instance.config.clone().into()],
        environment: MALLOC_ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        log: instance.log.clone(),
    };
    let (running, stdout) = environment.spawner.spawn(spec).await?;
    let running = Arc::new(running);
    {
        let mut state = instance.state();
        state.pid = running.pid;
        state.health = Health::Starting;
        state.running = Some(running.clone());
    }
    if let Some(cores) = plan.placement.limits_of(&instance.process.name).cpu {
        apply_topology_quota(environment, plan, &instance, cores);
    }
    let not_serving = |reason: String| ArmError::NotServing {
        instance: instance.name.clone(),
        reason,
        last_lines: last_log_lines(&instance.log),
        log: instance.log.clone(),
    };
    // A child that ends closes its output as well; how it ended says more.
    let serving = tokio::select! {
        line = read_first_line(stdout) => match line {
            Ok(serving) => serving,
            Err(why) => return Err(match tokio::time::timeout(EXIT_TIMEOUT, running.wait()).await {
                Ok(status) => not_serving(format!("it ended with {}", describe_exit(status))),
                Err(_) => not_serving(why.to_string()),
            }),
        },
        status = running.wait() => return Err(not_serving(format!("it ended with {}", describe_exit(status)))),
        () = tokio::time::sleep(START_TIMEOUT) => return Err(not_serving(format!("no word within {START_TIMEOUT:?}"))),
    };
    let mut state = instance.state();
    if state.listen.is_none() {
        let mut config: NodeConfig = std::fs::read(&instance.config)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .ok_or_else(|| not_serving("its configuration has gone".into()))?;
        config.listen = serving.listen;
        config.public = serving.public.unwrap_or(config.public);
        write_config(&instance.config, &config)?;
    }
    state.listen = Some(serving.listen);
    state.public = serving.public;
    state.health = if state.paused > 0 { Health::Paused } else { Health::Up };
    drop(state);
    // A run is worth more than its being watched; that nothing can be written was said when it began.
    let _ = environment.scrape_targets.add(serving.listen, &plan.name);
    instance.reapply_limits();
    Ok(())
}

/// The topology's quota of CPU; a machine that has none makes the run inconclusive. A successor
/// finds the group of the first.
fn apply_topology_quota(environment: &RunEnvironment, plan: &ArmPlan, instance: &Instance, cores: f64) {
    if instance.state().cgroups.iter().any(|(step, ..)| *step == TOPOLOGY_STEP) {
        return;
    }
    let arm = plan.name.replace('/', "-");
    let name = format!("cleave-{}-{arm}-{}", plan.config.run_id, instance.name.replace('#', "-"));
    let Some(group) = crate::process::cgroup::path_for(&name) else { return };
    environment.guardian.record_undo(&UndoAction::Group(group.clone()));
    if crate::process::cgroup::create(&group, cores).is_ok() {
        environment.cgroups.lock().expect("no panic while held").push(group.clone());
        // A process that has ended in this moment needs no quota.
        let _ = instance.enter_cgroup(TOPOLOGY_STEP, cores, group);
    }
}

/// Changes what an instance will be when it is launched again; its ports stay.
pub(crate) fn change_config(instance: &Instance, change: &dyn Fn(&mut NodeConfig)) -> Result<(), ArmError> {
    let failed = |source| ArmError::Config { path: instance.config.clone(), source };
    let text = std::fs::read(&instance.config).map_err(failed)?;
    let mut config: NodeConfig =
        serde_json::from_slice(&text).map_err(|error| failed(std::io::Error::other(error)))?;
    change(&mut config);
    write_config(&instance.config, &config)?;
    instance.state().build.clone_from(&config.build);
    Ok(())
}

/// What a log ends with: the error and its cause.
fn last_log_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().rev().take(2).map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.reverse();
    if lines.is_empty() { String::new() } else { format!(", saying: {}", lines.join(", ")) }
}

/// The child's first line, read on a thread of its own: a pipe from the
/// standard library, and the thread goes on to drain what else is printed.
async fn read_first_line(stdout: ChildStdout) -> std::io::Result<ServingAddresses> {
    let (sender, first_line) = oneshot::channel();
    std::thread::Builder::new().name("first-line".into()).stack_size(64 * 1024).spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().unwrap_or_else(|| Err(std::io::Error::other("it closed its output")));
        // The asker may have given up.
        let _ = sender.send(first);
        lines.map_while(Result::ok).for_each(drop);
    })?;
    let line = first_line.await.map_err(std::io::Error::other)??;
    serde_json::from_str(&line).map_err(std::io::Error::other)
}

/// Ends an instance: asked to drain, killed if it does not.
pub(crate) async fn stop(environment: &RunEnvironment, instance: &Instance) {
    let Some(running) = instance.running() else { return };
    if running.exit_status().is_some() {
        return;
    }
    // A paused process cannot drain.
    if instance.status().health == Health::Paused {
        let _ = running.signal(Signal::SIGCONT);
    }
    if let Some(listen) = instance.status().listen {
        // As when it was added.
        let _ = environment.scrape_targets.remove(listen);
        // A node that does not answer is killed below.
        let _ = environment
            .control
            .request(listen, Method::POST, "/control/drain", "", Duration::from_secs(1))
            .await;
    }
    if tokio::time::timeout(DRAIN_TIMEOUT, running.wait()).await.is_err() {
        let _ = running.signal(Signal::SIGKILL);
        running.wait().await;
    }
}
