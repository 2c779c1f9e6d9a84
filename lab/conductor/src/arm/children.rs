//! Child processes: started by one thread that never ends, tied to us twice, ended by pid.
//!
//! A child dies with the lab in two ways. Its standard input is a lifeline: the
//! lab holds the other end and never writes, so the kernel closes it however the
//! lab ends, and the child leaves on end of file. And the child asks the kernel for
//! SIGKILL at its parent's death ([`runtime::lifeline`]), which reaches stopped
//! processes too. That request is tied to the *thread* that started the child
//! (prctl(2), PR_SET_PDEATHSIG), so one thread starts them all and never ends.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};

use crate::process::program::Program;
use crate::process::server_data::without_secrets;

/// What to start.
#[derive(Clone, Debug)]
pub struct ChildSpec {
    /// Its name in messages: `micro/feed#0`.
    pub name: String,
    /// Program.
    pub program: Program,
    /// Arguments.
    pub arguments: Vec<OsString>,
    /// Environment added to ours.
    pub environment: Vec<(String, String)>,
    /// Where its standard error goes.
    pub log: PathBuf,
}

/// Why a child did not start.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` did not start")]
pub struct SpawnError {
    /// Which child.
    pub name: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// How a child ended, in words: `exit 0`, `signal 9`.
pub fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// A running child. Dropping it closes its lifeline, and so ends it.
pub struct ChildProcess {
    /// Process id, valid until [`ChildProcess::wait`] says otherwise.
    pub pid: u32,
    /// Its name.
    pub name: String,
    lifeline: Option<ChildStdin>,
    ended: watch::Receiver<Option<ExitStatus>>,
    /// It was sent SIGKILL: it does nothing more, however long the kernel takes to end it.
    is_killed: AtomicBool,
}

impl ChildProcess {
    /// Sends a signal, if the child is still there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        // The reaper publishes the end before the pid can be reused by a fork of ours; a signal
        // after that would hit another process.
        if self.ended.borrow().is_some() {
            return Ok(());
        }
        kill(Pid::from_raw(self.pid.cast_signed()), signal)?;
        if signal == Signal::SIGKILL {
            self.is_killed.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether there is anything left of it for a signal to act on: it has not ended, and was not killed. On a busy machine
    /// seconds may pass between the two.
    pub fn is_running(&self) -> bool {
        !self.is_killed.load(Ordering::Relaxed) && self.exit_status().is_none()
    }

    /// Asks it to end by closing its lifeline.
    pub fn close_lifeline(&mut self) {
        self.lifeline = None;
    }

    /// The lifeline, for children that read commands from it.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.lifeline.take()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        loop {
            if let Some(status) = *ended.borrow_and_update() {
                return status;
            }
            if ended.changed().await.is_err() {
                // The reaper is gone only when the lab itself ends.
                return ExitStatus::from_raw(9);
            }
        }
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }
}

type SpawnResult = Result<(ChildProcess, ChildStdout), SpawnError>;
type SpawnRequest = (ChildSpec, oneshot::Sender<SpawnResult>);

/// The permanent thread that starts children.
#[derive(Clone)]
pub struct Spawner {
    requests: mpsc::Sender<SpawnRequest>,
    alive: Arc<Mutex<Vec<u32>>>,
}

impl Default for Spawner {
    fn default() -> Self {
        Self::new()
    }
}

impl Spawner {
    /// Starts the thread. It ends with the process and not before.
    ///
    /// # Panics
    /// If the system refuses a thread at the very start.
    pub fn new() -> Self {
        let (requests, inbox) = mpsc::channel::<SpawnRequest>();
        let alive = Arc::new(Mutex::new(Vec::new()));
        let shared = alive.clone();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                while let Ok((spec, answer)) = inbox.recv() {
                    // The caller may have gone; then the child is dropped and ends as well.
                    let _ = answer.send(start(&spec, &shared));
                }
                // Children are tied to this thread: it must outlive the last handle.
                loop {
                    std::thread::park();
                }
            })
            .expect("the first thread of the lab");
        Self { requests, alive }
    }

    /// Starts a child; returns it with its standard output.
    ///
    /// # Errors
    /// When the program or its log cannot be opened.
    pub async fn spawn(&self, spec: ChildSpec) -> SpawnResult {
        let (answer, started) = oneshot::channel();
        let name = spec.name.clone();
        let gone = || SpawnError { name: name.clone(), source: io::Error::other("the spawner has ended") };
        self.requests.send((spec, answer)).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }

    /// Kills all children that are left, at once. For a second Ctrl-C.
    pub fn kill_all(&self) {
        for pid in self.alive.lock().expect("no panic while held").iter() {
            // It may have ended by itself in this moment; then there is nothing to do.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        }
    }
}

fn start(spec: &ChildSpec, alive: &Arc<Mutex<Vec<u32>>>) -> SpawnResult {
    let failed = |source| SpawnError { name: spec.name.clone(), source };
    let log = File::options().create(true).append(true).open(&spec.log).map_err(failed)?;
    let mut command = spec.program.command();
    let mut child = without_secrets(&mut command)
        .args(&spec.arguments)
        .envs(spec.environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // A group of its own: Ctrl-C in the terminal reaches the lab, which ends the children in order.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let pid = child.id();
    let stdout = child.stdout.take().expect("it was piped");
    let lifeline = child.stdin.take();
    alive.lock().expect("no panic while held").push(pid);
    let (exited, ended) = watch::channel(None);
    let alive = alive.clone();
    std::thread::Builder::new()
        .name("reaper".into())
        .stack_size(64 * 1024)
        .spawn(move || reap(&mut child, &alive, &exited))
        .map_err(failed)?;
    let is_killed = AtomicBool::new(false);
    Ok((ChildProcess { pid, name: spec.name.clone(), lifeline, ended, is_killed }, stdout))
}

fn reap(child: &mut Child, alive: &Mutex<Vec<u32>>, exited: &watch::Sender<Option<ExitStatus>>) {
    let pid = child.id();
    // Only this thread waits for the child, so an error means there is nothing to wait for.
    let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0));
    alive.lock().expect("no panic while held").retain(|other| *other != pid);
    exited.send_replace(Some(status));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &std::path::Path) -> ChildSpec {
        ChildSpec {
            name: "sleeper".into(),
            program: "/bin/cat".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: folder.join("log"),
        }
    }

    #[tokio::test]
    async fn a_child_leaves_when_its_lifeline_closes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut child, _stdout) = Spawner::new().spawn(sleeper(folder.path())).await.expect("starts");
        assert!(child.exit_status().is_none());
        child.close_lifeline();
        assert_eq!(describe_exit(child.wait().await), "exit 0");
    }

    #[tokio::test]
    async fn a_signal_after_the_end_hits_no_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let (child, _stdout) = Spawner::new().spawn(sleeper(folder.path())).await.expect("starts");
        assert!(child.is_running());
        child.signal(Signal::SIGKILL).expect("still there");
        // Before its end is known, too.
        assert!(!child.is_running());
        assert_eq!(describe_exit(child.wait().await), "signal 9");
        child.signal(Signal::SIGKILL).expect("nothing left to do");
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let spec = ChildSpec { program: "/nowhere/at/all".into(), ..sleeper(folder.path()) };
        let error = Spawner::new().spawn(spec).await.map(|_| ()).expect_err("no such program");
        assert_eq!(error.to_string(), "`sleeper` did not start");
    }
}
