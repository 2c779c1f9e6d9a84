//! Restarts processes that ended: in a run as the topology or a step says, in a suite that is kept up until one dies too
//! often in succession.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::placement::Restart;
use nix::sys::signal::Signal;
use policy::RestartBackoff;
use record::EventKind;
use runtime::{ShutdownPolicy, clock};
use tokio::sync::{broadcast, watch};

use crate::arm::arm_plan::ArmPlan;
use crate::arm::children::{ChildProcess, describe_exit};
use crate::arm::environment::RunEnvironment;
use crate::arm::instance::{Health, Instance, Recovery};
use crate::arm::launch::launch;
use crate::process::cause::with_cause;

/// Reports that a subscriber may be behind before it loses some: a dozen restarts of every process.
const MAX_QUEUED_REPORTS: usize = 256;

/// What happened to a supervised process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SupervisionReport {
    /// It ended, or a restart of it failed.
    Down {
        /// The instance.
        instance: String,
        /// How it ended, or why it did not start.
        reason: String,
        /// When it is restarted; `None` where it stays down.
        restart_in: Option<Duration>,
    },
    /// It serves again.
    Serving {
        /// The instance.
        instance: String,
        /// Time since it went down.
        gap: Duration,
    },
}

/// What the supervised processes of an arm share.
pub(super) struct Supervision {
    shutdown: watch::Sender<bool>,
    reports: broadcast::Sender<SupervisionReport>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self { shutdown: watch::Sender::new(false), reports: broadcast::channel(MAX_QUEUED_REPORTS).0 }
    }
}

impl Supervision {
    /// Reports from now on. A slow subscriber loses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<SupervisionReport> {
        self.reports.subscribe()
    }

    /// From now on no process is restarted.
    pub fn end(&self) {
        self.shutdown.send_replace(true);
    }

    /// Watches an instance until the arm shuts down or nothing asks for a restart. The task belongs to the
    /// environment's tasks.
    pub fn supervise(&self, environment: &RunEnvironment, plan: &ArmPlan, instance: &Arc<Instance>) {
        let restart = plan.placement.restart.filter(|_| plan.is_kept_up);
        let supervisor = Supervisor {
            environment: environment.clone(),
            plan: plan.clone(),
            instance: instance.clone(),
            backoff: restart.map(backoff_of),
            serving_since: clock::now(),
            shutdown: self.shutdown.subscribe(),
            reports: self.reports.clone(),
        };
        environment.tasks.spawn("lab.supervise", ShutdownPolicy::Cancel, supervisor.run());
    }
}

/// The delays that a topology asks for.
fn backoff_of(restart: Restart) -> RestartBackoff {
    let backoff = RestartBackoff::new(Duration::from_millis(restart.after), restart.max);
    match restart.max_delay {
        Some(longest) => backoff.with_max_delay(Duration::from_millis(longest)),
        None => backoff,
    }
}

/// Watches one instance.
struct Supervisor {
    environment: RunEnvironment,
    plan: ArmPlan,
    instance: Arc<Instance>,
    /// In a suite that is kept up.
    backoff: Option<RestartBackoff>,
    serving_since: Instant,
    shutdown: watch::Receiver<bool>,
    reports: broadcast::Sender<SupervisionReport>,
}

impl Supervisor {
    async fn run(mut self) {
        while let Some(running) = self.instance.running() {
            let Some(status) = self.end_of(&running).await else { return };
            if !self.is_latest(&running) {
                return;
            }
            self.instance.state().health = Health::Down;
            if self.instance.is_stopping() {
                return;
            }
            let reason = describe_exit(status);
            self.record_health(&format!("went down: {reason}"));
            if !self.bring_back(&running, reason).await {
                return;
            }
        }
    }

    /// Waits for the end of a process; `None` when the arm shuts down.
    async fn end_of(&mut self, running: &ChildProcess) -> Option<ExitStatus> {
        tokio::select! {
            status = running.wait() => Some(status),
            _ = self.shutdown.wait_for(|shutdown| *shutdown) => None,
        }
    }

    /// Restarts the instance after its process ended. Returns whether there is a process to watch.
    async fn bring_back(&mut self, ended: &Arc<ChildProcess>, mut reason: String) -> bool {
        let since = clock::now();
        let mut served = since.saturating_duration_since(self.serving_since);
        let mut last = ended.clone();
        loop {
            let delay = self.next_delay(std::mem::take(&mut served));
            self.instance.state().recovery = self.recovery(delay, &reason);
            self.report_down(std::mem::take(&mut reason), delay);
            let Some(delay) = delay else { return false };
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = self.shutdown.wait_for(|shutdown| *shutdown) => return false,
            }
            let instance = self.instance.clone();
            let turn = instance.turn().await;
            if instance.is_stopping() || !self.is_latest(&last) {
                return false;
            }
            instance.state().restarts += 1;
            let launched = launch(&self.environment, &self.plan, instance.clone()).await;
            drop(turn);
            let error = match launched {
                Ok(()) => {
                    self.report_serving(since);
                    return true;
                }
                // A process that did not start is no use without the reason.
                Err(error) => with_cause(&error),
            };
            self.record_health(&format!("did not come back: {error}"));
            let latest = self.instance.running().filter(|latest| !Arc::ptr_eq(latest, ended));
            match latest {
                // No process was started: the one that ended does not end again.
                None => {}
                Some(latest) if self.backoff.is_some() => {
                    // One that runs and does not serve is no use to a suite: the next may do better.
                    let _ = latest.signal(Signal::SIGKILL);
                    latest.wait().await;
                    self.instance.state().health = Health::Down;
                    last = latest;
                }
                // It runs and does not serve: its log shows why.
                Some(latest) if latest.exit_status().is_none() => return false,
                Some(_) => return true,
            }
            reason = error;
        }
    }

    /// Whether the copy has no later process: meanwhile a step may have taken it out, or started it with another configuration and
    /// a supervisor.
    fn is_latest(&self, process: &Arc<ChildProcess>) -> bool {
        self.instance.running().is_some_and(|latest| Arc::ptr_eq(&latest, process))
    }

    /// The delay before the next restart of a process that had served for so long; `None` where it stays down.
    fn next_delay(&mut self, served: Duration) -> Option<Duration> {
        let by_step = self.instance.take_restart_delay();
        if let Some(backoff) = self.backoff.as_mut().filter(|_| by_step.is_none()) {
            return backoff.next_delay(served);
        }
        let restarts = self.instance.status().restarts;
        let by_topology = self.plan.placement.restart.filter(|restart| restarts < restart.max);
        let by_topology = by_topology.map(|restart| restart.after);
        by_step.or(by_topology).map(Duration::from_millis)
    }

    fn recovery(&self, delay: Option<Duration>, reason: &str) -> Recovery {
        match (delay, &self.backoff) {
            (Some(_), _) => Recovery::Pending,
            (None, Some(backoff)) => {
                Recovery::GivenUp { restarts: backoff.restarts(), reason: reason.to_owned() }
            }
            (None, None) => Recovery::None,
        }
    }

    fn report_serving(&mut self, since: Instant) {
        self.serving_since = clock::now();
        self.instance.state().recovery = Recovery::None;
        let gap = self.serving_since.saturating_duration_since(since);
        self.record_health(&format!("down -> up after {:.2}s", gap.as_secs_f64()));
        // A run has no subscriber: its record has all of it.
        let _ = self.reports.send(SupervisionReport::Serving { instance: self.instance.name.clone(), gap });
    }

    fn report_down(&self, reason: String, restart_in: Option<Duration>) {
        let instance = self.instance.name.clone();
        // As above.
        let _ = self.reports.send(SupervisionReport::Down { instance, reason, restart_in });
    }

    fn record_health(&self, text: &str) {
        let text = format!("{} {} {text}", self.plan.letter, self.instance.name);
        self.environment.record.event(EventKind::Health, 0, text);
    }
}
