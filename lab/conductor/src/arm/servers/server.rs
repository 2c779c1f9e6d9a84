//! A server as a child of the run: a tree of processes, in PostgreSQL one for each connection among them, that is started,
//! stopped, killed and started again as one.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::placement::Restart;
use nix::sys::signal::Signal;
use record::EventKind;
use runtime::{ShutdownPolicy, clock};
#[cfg(feature = "postgres")]
use storage::{StorageError, postgres::Address};

use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::children::{ChildProcess, ChildSpec, describe_exit};
use crate::arm::environment::RunEnvironment;
use crate::arm::server_error::ServerError;
use crate::arm::server_product::ServerProduct;
use crate::arm::servers::disk::Disk;
#[cfg(feature = "postgres")]
use crate::arm::servers::refusals::Refusals;
use crate::observe::sampling::{SampledInstance, ServerRole};
use crate::process::guardian::{Guardian, ProcessIdentity, UndoAction};
use crate::process::{cgroup, tree, usage};

/// A server that accepts no connections by then does not start, on a busy machine either.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Time it has to end in order.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// As the processes of an arm: cores are shared with the generator, which comes first.
const NICENESS: &str = "5";
/// What a server begins as, `$0` being its parent. Where the lab was killed before `setpriv` asked for the signal at its death,
/// none comes, and no journal has the server yet: it would run for ever.
const UNLESS_ORPHANED: &str = "[ \"$PPID\" = \"$0\" ] && exec \"$@\"";

/// What a server is started from.
pub trait ServerProgram: Send + Sync {
    /// What it is.
    fn product(&self) -> ServerProduct;

    /// Writes what its next start needs.
    ///
    /// # Errors
    /// Why that cannot be written.
    fn prepare(&self) -> Result<(), String>;

    /// The command that serves it, in the foreground, and that dies with its parent.
    fn command(&self) -> Command;

    /// Whether the process of this id, which the command became, accepts connections.
    fn is_ready(&self, pid: u32) -> bool;

    /// The folder of what it keeps.
    fn data(&self) -> PathBuf;

    /// The disk that this folder is on, where it has one of its own.
    fn disk(&self) -> Option<&Disk> {
        None
    }

    /// The address of its first database.
    ///
    /// # Errors
    /// When it keeps none, or its folder has a name that no address can have.
    #[cfg(feature = "postgres")]
    fn address(&self) -> Result<Address, StorageError> {
        Err(StorageError::Other(format!("{} keeps no database", self.product().name()).into()))
    }
}

/// A server, which may have ended and been started again.
pub struct Server {
    /// `postgres#0`.
    pub name: String,
    program: Box<dyn ServerProgram>,
    arm: String,
    components: Vec<String>,
    spec: ChildSpec,
    group: Option<PathBuf>,
    /// Whether, and when, it is started again after it has ended by itself or was killed: as the processes of its arm are.
    restart: Option<Restart>,
    current: Mutex<Current>,
    pauses: Mutex<Pauses>,
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
    /// How long after its death it is started again, whatever the topology says: once.
    restart_delay: Option<Duration>,
}

/// What keeps it standing still.
#[derive(Default)]
struct Pauses {
    /// Steps: it goes on when the last of them has ended. They hold for a successor as well.
    steps: u32,
    /// What the journal has of the processes stopped.
    entries: Vec<u64>,
}

impl Server {
    /// A server of an arm that has not been started.
    pub fn new(
        plan: &ArmPlan,
        name: String,
        program: Box<dyn ServerProgram>,
        components: Vec<String>,
    ) -> Self {
        let serve = program.command();
        // The folder that the lab was started in may be closed to the server's account.
        let mut arguments: Vec<_> = ["-C", "/"].map(Into::into).to_vec();
        if !plan.config.cores.is_empty() {
            // The budget of an arm is that of its databases, too.
            let cores: Vec<String> = plan.config.cores.iter().map(ToString::to_string).collect();
            arguments.extend(["taskset".into(), "-c".into(), cores.join(",").into()]);
        }
        arguments.extend(["nice", "-n", NICENESS].map(Into::into));
        if let Some(disk) = program.disk() {
            arguments.extend(disk.entered());
        }
        arguments.extend(unless_orphaned(&serve, std::process::id()));
        let text = |of: &OsStr| of.to_string_lossy().into_owned();
        let variables = serve.get_envs().filter_map(|(name, value)| Some((text(name), text(value?))));
        let spec = ChildSpec {
            name: format!("{}/{name}", plan.name),
            program: "env".into(),
            arguments,
            environment: variables.collect(),
            log: plan.folder.join(format!("{name}.log")),
        };
        Self {
            name,
            program,
            arm: plan.name.clone(),
            components,
            spec,
            group: plan.group.clone(),
            restart: plan.placement.restart,
            current: Mutex::default(),
            pauses: Mutex::default(),
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
        let unavailable = |reason: String| {
            let (arm, product) = (self.arm.clone(), self.program.product());
            ArmError::from(ServerError::Unavailable { arm, product, reason })
        };
        self.program.prepare().map_err(unavailable)?;
        let (process, _output) = environment.spawner.spawn(self.spec.clone()).await?;
        let process = Arc::new(process);
        let undo = environment.guardian.record_undo(&UndoAction::Kill(ProcessIdentity::of(process.pid)));
        if let Some(group) = &self.group {
            // Before it has children, which are where it is. Where that is refused, so it is for the arm's processes, which
            // is recorded.
            let _ = cgroup::join(&cgroup::members_of(group), process.pid);
        }
        *self.current() = Current { process: Some(process.clone()), undo, ..Current::default() };
        self.starts.fetch_add(1, Ordering::Relaxed);
        let until = clock::now() + START_TIMEOUT;
        // `env`, `nice`, `nsenter`, `setpriv` and `sh` each execute the next program: the process id is the server's.
        while !self.program.is_ready(process.pid) {
            let ended = process.exit_status().map(describe_exit);
            if ended.is_some() || clock::now() > until {
                let reason = ended.map_or_else(
                    || format!("it accepts no connections within {START_TIMEOUT:?}"),
                    |end| format!("it ended with {end}"),
                );
                let reason = format!("{reason}; its log is {}", self.spec.log.display());
                self.end_process(environment, STOP_TIMEOUT).await;
                return Err(unavailable(reason));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        {
            let mut pauses = self.pauses();
            if pauses.steps > 0 {
                self.stop_processes(&environment.guardian, &mut pauses);
            }
        }
        self.restart_when_ended(environment, process);
        Ok(())
    }

    /// Starts it again, once, if its topology or a step says so. What prevents it is recorded, and tried again as its topology
    /// says.
    fn restart_when_ended(self: &Arc<Self>, environment: &RunEnvironment, process: Arc<ChildProcess>) {
        let (server, environment) = (self.clone(), environment.clone());
        environment.tasks.clone().spawn("server.supervise", ShutdownPolicy::Cancel, async move {
            process.wait().await;
            let is_its_own = |current: &Arc<ChildProcess>| Arc::ptr_eq(current, &process);
            let by_step = {
                let mut current = server.current();
                // One that was stopped is no longer there.
                if !current.process.as_ref().is_some_and(is_its_own) {
                    return;
                }
                current.restart_delay.take()
            };
            let by_topology = server.restart.filter(|restart| server.restarts() < restart.max);
            let by_topology = by_topology.map(|restart| Duration::from_millis(restart.after));
            let mut delay = by_step.or(by_topology);
            while let Some(after) = delay {
                tokio::time::sleep(after).await;
                let Err(error) = server.start(&environment).await else { return };
                environment.record.event(EventKind::Log, 0, error.to_string());
                // Of one whose first process alone was killed, others may hold its data a little longer.
                let restart = server.restart.filter(|restart| server.restarts() < restart.max);
                delay = restart.map(|restart| Duration::from_millis(restart.after));
            }
        });
    }

    /// Kills all its processes at once; `false` where it does not run. It is started again after `restart`, or as its topology
    /// says.
    pub fn kill(&self, restart: Option<Duration>) -> bool {
        let Some(process) = self.running() else { return false };
        self.current().restart_delay = restart;
        let processes = identities(process.pid);
        // First the one that would note that others have ended, and go on without them.
        let is_killed = process.signal(Signal::SIGKILL).is_ok();
        tree::signal(&processes, Signal::SIGKILL);
        self.current().killed = processes;
        is_killed
    }

    /// Stops all its processes until [`Server::resume`] was called as often; `false` where it does not run now.
    pub fn pause(&self, guardian: &Guardian) -> bool {
        let mut pauses = self.pauses();
        pauses.steps += 1;
        // The processes of another step's pause stand still already.
        if pauses.steps == 1 { self.stop_processes(guardian, &mut pauses) } else { self.running().is_some() }
    }

    /// Ends a pause: with the last of them its processes go on.
    pub fn resume(&self, guardian: &Guardian) {
        let mut pauses = self.pauses();
        pauses.steps = pauses.steps.saturating_sub(1);
        if pauses.steps == 0 {
            if let Some(process) = self.running() {
                tree::signal(&identities(process.pid), Signal::SIGCONT);
            }
            guardian.mark_undone(std::mem::take(&mut pauses.entries));
        }
    }

    /// Stops all processes, each noted in the journal before; `false` where none runs.
    fn stop_processes(&self, guardian: &Guardian, pauses: &mut Pauses) -> bool {
        let Some(process) = self.running() else { return false };
        let mut stopped: Vec<ProcessIdentity> = Vec::new();
        loop {
            // The first stops first: then none is added but by one that is not stopped yet.
            let new: Vec<ProcessIdentity> =
                identities(process.pid).into_iter().filter(|new| !stopped.contains(new)).collect();
            if new.is_empty() {
                return true;
            }
            for process in new {
                pauses.entries.extend(guardian.record_undo(&UndoAction::Continue(process)));
                tree::signal(&[process], Signal::SIGSTOP);
                stopped.push(process);
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
    pub async fn shut_down(&self, environment: &RunEnvironment) {
        let mut has_ended = self.has_ended.lock().await;
        *has_ended = true;
        self.end_process(environment, STOP_TIMEOUT).await;
        if let Some(disk) = self.program.disk() {
            disk.unmount(environment).await;
        }
    }

    /// The disk of its own that a step can fill, where it has one.
    pub fn disk(&self) -> Option<&Disk> {
        self.program.disk()
    }

    async fn end_process(&self, environment: &RunEnvironment, within: Duration) {
        let Current { process, undo, .. } = std::mem::take(&mut *self.current());
        if let Some(process) = process {
            let processes = identities(process.pid);
            // What stands still ends no more than it answers.
            tree::signal(&processes, Signal::SIGCONT);
            // "Fast shutdown" (PostgreSQL, 19.5); NATS ends in order as well.
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
        let Current { process, undo, killed, .. } = std::mem::take(&mut *self.current());
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

    /// The address of its first database.
    ///
    /// # Errors
    /// When it keeps none, or its folder has a name that no address can have.
    #[cfg(feature = "postgres")]
    pub fn address(&self) -> Result<Address, StorageError> {
        self.program.address()
    }

    /// Its processes now; none where it does not run.
    #[cfg(feature = "postgres")]
    pub fn processes(&self) -> Vec<ProcessIdentity> {
        self.running().map_or_else(Vec::new, |process| identities(process.pid))
    }

    /// The connections that it refuses from now on.
    #[cfg(feature = "postgres")]
    pub fn refusals(&self) -> Refusals {
        Refusals::in_log(&self.spec.log)
    }

    /// Its first process, where it has not ended and was not killed.
    fn running(&self) -> Option<Arc<ChildProcess>> {
        let current = self.current();
        let process = current.process.clone().filter(|process| process.exit_status().is_none());
        process.filter(|_| current.killed.is_empty())
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().expect("no panic while held")
    }

    fn pauses(&self) -> MutexGuard<'_, Pauses> {
        self.pauses.lock().expect("no panic while held")
    }

    fn restarts(&self) -> u32 {
        self.starts.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// As the sampler sees it.
    pub fn sampled(&self) -> SampledInstance {
        let is_paused = self.pauses().steps > 0;
        let state = match self.running() {
            Some(_) if is_paused => "paused",
            Some(_) => "up",
            None => "down",
        };
        SampledInstance {
            name: self.name.clone(),
            pid: self.current().process.as_ref().map_or(0, |process| process.pid),
            listen: None,
            components: self.components.clone(),
            state,
            is_up: state == "up",
            restarts: self.restarts(),
            databases: vec![self.program.data()],
            server: Some(match self.program.product() {
                ServerProduct::Postgres => ServerRole::Databases,
                ServerProduct::Nats => ServerRole::Events,
            }),
        }
    }
}

/// A process and its descendants.
fn identities(root: u32) -> Vec<ProcessIdentity> {
    tree::members(root).into_iter().map(ProcessIdentity::of).collect()
}

/// The words of a command that dies with its parent, and looks whether that is there once the kernel knows.
fn unless_orphaned(command: &Command, parent: u32) -> Vec<OsString> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut words: Vec<OsString> = words.map(ToOwned::to_owned).collect();
    if let Some(option) = words.iter().position(|word| word == "--pdeathsig") {
        let parent = parent.to_string();
        let look = ["sh", "-c", UNLESS_ORPHANED, parent.as_str()].map(OsString::from);
        // After the option and its signal.
        let at = words.len().min(option + 2);
        words.splice(at..at, look);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_whose_parent_has_gone_does_not_begin() {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "test", "a b", "=", "a b"]);
        let begins = |parent| {
            let words = unless_orphaned(&command, parent);
            let status = Command::new(&words[0]).args(&words[1..]).status();
            status.expect("setpriv is there").success()
        };
        assert!(begins(std::process::id()));
        assert!(!begins(1), "orphans go to another parent");
        let plain = Command::new("true");
        assert_eq!(unless_orphaned(&plain, 1), ["true"], "it is not tied to its parent");
    }
}
