//! A PostgreSQL server as a child of the run: a tree of processes, one for each connection among them, that is started, stopped,
//! killed and started again as one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use postgres_server::Cluster;
use record::EventKind;
use runtime::{ShutdownPolicy, clock};

use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::children::{ChildProcess, ChildSpec, describe_exit};
use crate::arm::environment::RunEnvironment;
use crate::arm::server_error::ServerError;
use crate::observe::sampling::SampledInstance;
use crate::process::guardian::{Guardian, ProcessIdentity, UndoAction};
use crate::process::{cgroup, tree, usage};

/// A server that accepts no connections by then does not start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Time it has to end in order.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections it takes beside those of the arm as it starts: for copies that are added, and a look into it.
const SPARE_CONNECTIONS: u32 = 400;
/// As the processes of an arm: cores are shared with the generator, which comes first.
const NICENESS: &str = "5";

/// A server, which may have ended and been started again.
pub struct Server {
    /// `postgres#0`.
    pub name: String,
    pub(super) cluster: Cluster,
    arm: String,
    components: Vec<String>,
    spec: ChildSpec,
    group: Option<PathBuf>,
    /// When it is started again after it has ended by itself or was killed: as the processes of its arm are.
    restart_after: Option<Duration>,
    current: Mutex<Current>,
    starts: AtomicU32,
    /// Held while it is started or ended. Whether it has ended for good.
    has_ended: tokio::sync::Mutex<bool>,
}

/// Its processes.
#[derive(Default)]
struct Current {
    process: Option<Arc<ChildProcess>>,
    undo: Option<u64>,
    /// Those that were killed: a successor starts when they are gone.
    killed: Vec<ProcessIdentity>,
}

/// A server that stands still.
pub struct PausedServer {
    processes: Vec<ProcessIdentity>,
    entries: Vec<u64>,
}

impl Server {
    /// A server of an arm that has not been started.
    pub(super) fn new(plan: &ArmPlan, name: String, cluster: Cluster, components: Vec<String>) -> Self {
        let given = &plan.resources;
        let serve = cluster.command(given.readers + given.writers + SPARE_CONNECTIONS);
        // The folder that the lab was started in may be closed to the server's account.
        let mut arguments: Vec<_> = ["-C", "/", "nice", "-n", NICENESS].map(Into::into).to_vec();
        arguments.push(serve.get_program().to_owned());
        arguments.extend(serve.get_args().map(ToOwned::to_owned));
        let spec = ChildSpec {
            name: format!("{}/{name}", plan.name),
            program: "env".into(),
            arguments,
            environment: Vec::new(),
            log: plan.folder.join(format!("{name}.log")),
        };
        Self {
            name,
            cluster,
            arm: plan.name.clone(),
            components,
            spec,
            group: plan.group.clone(),
            restart_after: plan.placement.restart.map(|restart| Duration::from_millis(restart.after)),
            current: Mutex::default(),
            starts: AtomicU32::new(0),
            has_ended: tokio::sync::Mutex::new(false),
        }
    }

    /// Starts it, and waits until it accepts connections. Nothing is done where it runs already, or has ended for good.
    ///
    /// # Errors
    /// When it ends instead, or takes too long.
    pub async fn start(self: &Arc<Self>, environment: &RunEnvironment) -> Result<(), ArmError> {
        let has_ended = self.has_ended.lock().await;
        if *has_ended || self.running().is_some() {
            return Ok(());
        }
        self.wait_for_the_killed(environment).await;
        let (process, _output) = environment.spawner.spawn(self.spec.clone()).await?;
        let process = Arc::new(process);
        let undo = environment.guardian.record_undo(&UndoAction::Kill(ProcessIdentity::of(process.pid)));
        if let Some(group) = &self.group {
            // Before it has children, which are where it is. Where that is refused, so it is for the arm's processes, which
            // is recorded.
            let _ = cgroup::join(&cgroup::members_of(group), process.pid);
        }
        *self.current() = Current { process: Some(process.clone()), undo, killed: Vec::new() };
        self.starts.fetch_add(1, Ordering::Relaxed);
        let until = clock::now() + START_TIMEOUT;
        // `env`, `nice` and `setpriv` each execute the next program: the process id is the server's.
        while !self.cluster.is_ready(Some(process.pid)) {
            let ended = process.exit_status().map(describe_exit);
            if ended.is_some() || clock::now() > until {
                let reason = ended.map_or_else(
                    || format!("it accepts no connections within {START_TIMEOUT:?}"),
                    |end| format!("it ended with {end}"),
                );
                let reason = format!("{reason}; its log is {}", self.spec.log.display());
                self.end_process(environment, STOP_TIMEOUT).await;
                return Err(ServerError::Unavailable { arm: self.arm.clone(), reason }.into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        if let Some(delay) = self.restart_after {
            self.restart_when_ended(environment, process, delay);
        }
        Ok(())
    }

    fn restart_when_ended(
        self: &Arc<Self>,
        environment: &RunEnvironment,
        process: Arc<ChildProcess>,
        delay: Duration,
    ) {
        let (server, environment) = (self.clone(), environment.clone());
        environment.tasks.clone().spawn("server.supervise", ShutdownPolicy::Cancel, async move {
            process.wait().await;
            let is_its_own = |current: &Arc<ChildProcess>| Arc::ptr_eq(current, &process);
            // One that was stopped is no longer there.
            if server.current().process.as_ref().is_some_and(is_its_own) {
                server.start_after(&environment, delay);
            }
        });
    }

    /// Starts it after a time. What prevents it is recorded.
    pub fn start_after(self: &Arc<Self>, environment: &RunEnvironment, delay: Duration) {
        let (server, environment) = (self.clone(), environment.clone());
        environment.tasks.clone().spawn("server.restart", ShutdownPolicy::Cancel, async move {
            tokio::time::sleep(delay).await;
            if let Err(error) = server.start(&environment).await {
                environment.record.event(EventKind::Log, 0, error.to_string());
            }
        });
    }

    /// Kills all its processes at once; `false` where it does not run.
    pub fn kill(&self) -> bool {
        let Some(process) = self.running() else { return false };
        let processes = identities(process.pid);
        // First the one that would note that others have ended, and go on without them.
        let is_killed = process.signal(Signal::SIGKILL).is_ok();
        tree::signal(&processes, Signal::SIGKILL);
        self.current().killed = processes;
        is_killed
    }

    /// Stops all its processes, each noted in the journal before; `None` where it does not run.
    pub fn pause(&self, guardian: &Guardian) -> Option<PausedServer> {
        let root = self.running()?.pid;
        let mut paused = PausedServer { processes: Vec::new(), entries: Vec::new() };
        loop {
            // The first stops first: then none is added but by one that is not stopped yet.
            let new: Vec<ProcessIdentity> =
                identities(root).into_iter().filter(|process| !paused.processes.contains(process)).collect();
            if new.is_empty() {
                return Some(paused);
            }
            for process in new {
                paused.entries.extend(guardian.record_undo(&UndoAction::Continue(process)));
                tree::signal(&[process], Signal::SIGSTOP);
                paused.processes.push(process);
            }
        }
    }

    /// Ends it in order, and kills it when it has not ended in time. `false` where it does not run.
    pub async fn stop(&self, environment: &RunEnvironment, within: Duration) -> bool {
        let _turn = self.has_ended.lock().await;
        let is_running = self.running().is_some();
        self.end_process(environment, within).await;
        is_running
    }

    /// Ends it for good: open transactions are rolled back, and it writes what it has to.
    pub(super) async fn shut_down(&self, environment: &RunEnvironment) {
        let mut has_ended = self.has_ended.lock().await;
        *has_ended = true;
        self.end_process(environment, STOP_TIMEOUT).await;
    }

    async fn end_process(&self, environment: &RunEnvironment, within: Duration) {
        let Current { process, undo, .. } = std::mem::take(&mut *self.current());
        if let Some(process) = process {
            let processes = identities(process.pid);
            // What stands still ends no more than it answers.
            tree::signal(&processes, Signal::SIGCONT);
            // "Fast shutdown" (PostgreSQL, 19.5).
            let _ = process.signal(Signal::SIGINT);
            if tokio::time::timeout(within, process.wait()).await.is_err() {
                let _ = process.signal(Signal::SIGKILL);
                tree::signal(&processes, Signal::SIGKILL);
                process.wait().await;
            }
        }
        environment.guardian.mark_undone(undo.into_iter().collect());
    }

    /// A server does not start on data that another's processes are still attached to.
    async fn wait_for_the_killed(&self, environment: &RunEnvironment) {
        let Current { process, undo, killed } = std::mem::take(&mut *self.current());
        if let Some(process) = process {
            process.wait().await;
        }
        environment.guardian.mark_undone(undo.into_iter().collect());
        let until = clock::now() + STOP_TIMEOUT;
        let is_there =
            |process: &ProcessIdentity| process.is_alive() && usage::state(process.pid) != Some('Z');
        while killed.iter().any(is_there) && clock::now() < until {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Its first process, where it has not ended and was not killed.
    fn running(&self) -> Option<Arc<ChildProcess>> {
        let current = self.current();
        let process = current.process.clone().filter(|process| process.exit_status().is_none());
        process.filter(|_| current.killed.is_empty())
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().expect("no panic while held")
    }

    /// As the sampler sees it.
    pub(super) fn sampled(&self) -> SampledInstance {
        let is_up = self.running().is_some();
        SampledInstance {
            name: self.name.clone(),
            pid: self.current().process.as_ref().map_or(0, |process| process.pid),
            listen: None,
            components: self.components.clone(),
            state: if is_up { "up" } else { "down" },
            is_up,
            restarts: self.starts.load(Ordering::Relaxed).saturating_sub(1),
            databases: vec![self.cluster.data().to_owned()],
            is_server: true,
        }
    }
}

impl PausedServer {
    /// Lets it go on.
    pub fn resume(self, guardian: &Guardian) {
        tree::signal(&self.processes, Signal::SIGCONT);
        guardian.mark_undone(self.entries);
    }
}

/// A process and its descendants.
fn identities(root: u32) -> Vec<ProcessIdentity> {
    tree::members(root).into_iter().map(ProcessIdentity::of).collect()
}
