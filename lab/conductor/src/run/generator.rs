//! The load generator as a child: started, followed to its last message, ended.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::time::Duration;

use load_protocol::{END_COMMAND, FURTHER_COMMAND, LoadPlan, Message, SECRET_VARIABLE};
use nix::sys::signal::Signal;
use tokio::sync::mpsc;

use crate::arm::children::{ChildProcess, ChildSpec, SpawnError, Spawner, describe_exit};
use crate::process::private;
use crate::process::program::Program;

/// The generator's barrier has its own limit; this one is for a child that sends no message at all.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages that may wait for the conductor: a second of a busy run.
const MAX_QUEUED_MESSAGES: usize = 4_096;

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The child did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its plan could not be written.
    #[error("{path} cannot be written")]
    Plan {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It ended or stayed silent before it was ready.
    #[error("the load generator did not get ready: {reason}; its log is {log}")]
    NotReady {
        /// What it did instead.
        reason: String,
        /// Where more is logged.
        log: PathBuf,
    },
}

/// A generator that is ready to send.
pub struct Generator {
    running: ChildProcess,
    commands: Option<ChildStdin>,
    messages: mpsc::Receiver<Message>,
    /// Digest of the schedule it will offer.
    pub digest: String,
    /// Arrivals it will offer to each arm.
    pub planned: u64,
    /// A sentence for each journey that an arm did not answer as asked before the load.
    pub unready: Vec<String>,
}

impl Generator {
    /// Starts the child and waits until all its slots are warm and all arms were tried.
    ///
    /// # Errors
    /// When it does not start or does not get ready.
    pub async fn start(
        spawner: &Spawner,
        program: &Program,
        plan: &LoadPlan,
        folder: &Path,
    ) -> Result<Self, GeneratorError> {
        let path = folder.join("load.json");
        let secret = (SECRET_VARIABLE.to_owned(), plan.secret.clone());
        let text = serde_json::to_vec_pretty(&LoadPlan { secret: String::new(), ..plan.clone() })
            .expect("a plan is plain data");
        private::write(&path, &text).map_err(|source| GeneratorError::Plan { path: path.clone(), source })?;
        let log = plan.log.clone();
        let spec = ChildSpec {
            name: "generator".into(),
            program: program.clone(),
            arguments: vec!["load".into(), path.into()],
            environment: vec![secret],
            log: log.clone(),
        };
        let (mut running, stdout) = spawner.spawn(spec).await?;
        let commands = running.take_stdin();
        let (sender, messages) = mpsc::channel(MAX_QUEUED_MESSAGES);
        std::thread::Builder::new()
            .name("generator".into())
            .spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
                    // The conductor follows no longer: drain, so that the child can end.
                    let _ = sender.blocking_send(message);
                }
            })
            .map_err(|source| SpawnError { name: "generator".into(), source })?;
        let (digest, unready) = Default::default();
        let mut generator = Self { running, commands, messages, digest, planned: 0, unready };
        match tokio::time::timeout(READY_TIMEOUT, generator.until_ready()).await {
            Ok(Ok(())) => Ok(generator),
            Ok(Err(reason)) => Err(GeneratorError::NotReady { reason, log }),
            Err(_) => {
                Err(GeneratorError::NotReady { reason: format!("no message within {READY_TIMEOUT:?}"), log })
            }
        }
    }

    async fn until_ready(&mut self) -> Result<(), String> {
        loop {
            match self.messages.recv().await {
                Some(Message::Hello { schedule_digest, planned, .. }) => {
                    self.digest = schedule_digest;
                    self.planned = planned;
                }
                Some(Message::Ready { unready, .. }) => {
                    self.unready = unready;
                    return Ok(());
                }
                Some(Message::Failed { reason }) => return Err(reason),
                // It gave up, and says why.
                Some(Message::Summary(summary)) if !summary.problems.is_empty() => {
                    return Err(summary.problems.join("; "));
                }
                Some(_) => {}
                None => return Err(format!("it ended with {}", describe_exit(self.running.wait().await))),
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    /// Begins the load at an instant of CLOCK_MONOTONIC.
    pub fn start_load(&mut self, at_mono_ns: u64) {
        self.command(format_args!("start {at_mono_ns}"));
    }

    /// Goes on to the next of the rates that are offered on request.
    pub fn offer_further(&mut self) {
        self.command(format_args!("{FURTHER_COMMAND}"));
    }

    /// Ends the load where it is: nothing more is sent, and what is in flight is finished.
    pub fn end_load(&mut self) {
        self.command(format_args!("{END_COMMAND}"));
    }

    fn command(&mut self, line: std::fmt::Arguments<'_>) {
        if let Some(commands) = &mut self.commands {
            // A child that is gone sends no summary.
            let _ = writeln!(commands, "{line}").and_then(|()| commands.flush());
        }
    }

    /// Ends the load early: what is in flight is finished, the rest abandoned.
    pub fn cancel(&mut self) {
        self.commands = None;
    }

    /// Ends it at once: it has had its time.
    pub fn kill(&self) {
        // One that has ended in this moment needs no signal.
        let _ = self.running.signal(Signal::SIGKILL);
    }

    /// Its next message; `None` once it has ended.
    pub async fn next_message(&mut self) -> Option<Message> {
        self.messages.recv().await
    }

    /// How it ended.
    pub async fn wait(self) -> String {
        describe_exit(self.running.wait().await)
    }
}
