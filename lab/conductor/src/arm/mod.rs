//! One deployment and its instances: started in order, supervised as the scenario asks, shut down together.
//!
//! - [`Arm`]: its instances as they come and go. Start here.
//! - [`instance`]: one copy of one process.
//! - [`children`]: child processes, tied to the lab twice.

pub mod children;
pub mod instance;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use contract::{ComponentName, Placement, ProcessPlan};
use node::NodeConfig;
use record::EventKind;
use runtime::{ShutdownPolicy, Tasks};
use tokio::sync::watch;

use crate::arm::children::Spawner;
use crate::arm::instance::{ArmError, Health, Instance, change_config, launch, prepare, stop};
use crate::observe::record_writer::RecordWriter;
use crate::observe::scrape_targets::ScrapeTargets;
use crate::process::control::ControlClient;
use crate::process::guardian::Guardian;
use crate::run::plan::{PlannedArm, effective_policies};
use crate::steps::targets::ArmLayout;

/// An arm whose door has not answered by then does not start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How often readiness is asked for.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What an arm is started from.
#[derive(Clone, Debug)]
pub struct ArmPlan {
    /// `A`, `B`, ...
    pub letter: char,
    /// Its name.
    pub name: String,
    /// Its processes.
    pub processes: Vec<ProcessPlan>,
    /// How it is grouped, limited and brought back.
    pub placement: Placement,
    /// Configuration common to its nodes.
    pub config: NodeConfig,
    /// Its folder: databases, photo bytes, logs, configurations.
    pub folder: PathBuf,
    /// Requests that must be answered before it counts as ready.
    pub probes: Vec<String>,
}

/// What arms are started with.
#[derive(Clone)]
pub struct RunEnvironment {
    /// Starts children.
    pub spawner: Spawner,
    /// Owner of our tasks.
    pub tasks: Tasks,
    /// Asks nodes.
    pub control: ControlClient,
    /// The program children are started from: ourselves.
    pub program: PathBuf,
    /// Undoes what we cannot undo when we are dead.
    pub guardian: Arc<Guardian>,
    /// Control groups made, to be removed.
    pub cgroups: Arc<Mutex<Vec<PathBuf>>>,
    /// Where Prometheus finds the processes.
    pub scrape_targets: Arc<ScrapeTargets>,
}

/// A running arm.
pub struct Arm {
    /// What it was started from.
    pub plan: ArmPlan,
    /// The door.
    pub public: SocketAddr,
    /// Its processes' copies, in starting order; they come and go.
    instances: RwLock<Vec<Arc<Instance>>>,
    registry: Option<SocketAddr>,
    shutdown: watch::Sender<bool>,
}

impl Arm {
    /// Starts the registry, then everybody else at once, and waits until the
    /// door answers every probe.
    ///
    /// # Errors
    /// When a process does not start or the arm does not get ready; what was
    /// started is ended again.
    pub async fn start(
        environment: &RunEnvironment,
        plan: ArmPlan,
        record: &RecordWriter,
    ) -> Result<Self, ArmError> {
        let shutdown = watch::Sender::new(false);
        let mut instances: Vec<Arc<Instance>> = Vec::new();
        let mut registry = None;
        let (first, others): (Vec<&ProcessPlan>, Vec<&ProcessPlan>) =
            plan.processes.iter().partition(|process| process.registry);
        for wave in [first, others] {
            let mut starts = Vec::new();
            for process in wave {
                for copy in 0..process.replicas {
                    let instance = Arc::new(prepare(&plan, process, copy, registry, &|_| {})?);
                    instances.push(instance.clone());
                    starts.push((instance.clone(), launch(environment, &plan, instance)));
                }
            }
            let (waiting, launched): (Vec<_>, Vec<_>) = starts.into_iter().unzip();
            for (instance, started) in waiting.iter().zip(futures_util::future::join_all(launched).await) {
                if let Err(error) = started {
                    drop(instances);
                    return Err(error);
                }
                supervise(environment, &plan, instance, record, shutdown.subscribe());
            }
            registry = registry
                .or_else(|| waiting.iter().find(|i| i.process.registry).and_then(|i| i.status().listen));
        }
        let public = instances.iter().find_map(|instance| instance.status().public).ok_or_else(|| {
            ArmError::NotReady { arm: plan.name.clone(), reason: "no process has the public door".into() }
        })?;
        let arm = Self { plan, public, instances: RwLock::new(instances), registry, shutdown };
        arm.wait_ready(environment).await?;
        Ok(arm)
    }

    async fn wait_ready(&self, environment: &RunEnvironment) -> Result<(), ArmError> {
        let until = runtime::clock::now() + START_TIMEOUT;
        for probe in &self.plan.probes {
            loop {
                let answer = environment.control.get(self.public, probe, Duration::from_secs(2)).await;
                let reason = match answer {
                    Ok((status, _)) if status.is_success() => break,
                    Ok((status, body)) => {
                        format!("GET {probe} answered {status}: {}", String::from_utf8_lossy(&body))
                    }
                    Err(error) => format!("GET {probe}: {error}"),
                };
                if runtime::clock::now() > until {
                    return Err(ArmError::NotReady { arm: self.plan.name.clone(), reason });
                }
                tokio::time::sleep(READY_POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Its processes' copies as they are now.
    pub fn instances(&self) -> Vec<Arc<Instance>> {
        self.instances.read().expect("no panic while held").clone()
    }

    /// As far as targets go.
    pub fn layout(&self) -> ArmLayout {
        let (local_edges, remote_edges) = suite::catalogue::edges(&self.plan.processes);
        let cached = self.plan.config.services.iter().filter(|(_, service)| service.cache.is_some());
        ArmLayout {
            instances: self.instances().iter().map(|instance| instance.target()).collect(),
            local_edges,
            remote_edges,
            cached: cached.map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Copies of a process, in order of their numbers.
    pub fn copies(&self, process: &str) -> Vec<Arc<Instance>> {
        self.instances().into_iter().filter(|instance| instance.process.name == process).collect()
    }

    /// Starts one more copy of a process and waits until it serves and is known.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn add_copy(
        &self,
        environment: &RunEnvironment,
        process: &ProcessPlan,
        record: &RecordWriter,
        change: &(dyn Fn(&mut NodeConfig) + Sync),
    ) -> Result<Arc<Instance>, ArmError> {
        let number = |instance: &Arc<Instance>| instance.name.rsplit('#').next()?.parse::<u32>().ok();
        let copy = self.copies(&process.name).iter().filter_map(number).max().map_or(0, |last| last + 1);
        let instance = Arc::new(prepare(&self.plan, process, copy, self.registry, change)?);
        self.instances.write().expect("no panic while held").push(instance.clone());
        if let Err(error) = launch(environment, &self.plan, instance.clone()).await {
            self.forget(&instance);
            return Err(error);
        }
        supervise(environment, &self.plan, &instance, record, self.shutdown.subscribe());
        Ok(instance)
    }

    /// Lets a copy finish what it has, and leave for good.
    pub async fn remove_copy(&self, environment: &RunEnvironment, instance: &Arc<Instance>) {
        instance.set_stopping(true);
        stop(environment, instance).await;
        self.forget(instance);
    }

    /// Lets a copy leave and come back, perhaps as something else, on the same ports.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn recreate_copy(
        &self,
        environment: &RunEnvironment,
        instance: &Arc<Instance>,
        record: &RecordWriter,
        change: &(dyn Fn(&mut NodeConfig) + Sync),
    ) -> Result<(), ArmError> {
        instance.set_stopping(true);
        stop(environment, instance).await;
        change_config(instance, change)?;
        launch(environment, &self.plan, instance.clone()).await?;
        instance.set_stopping(false);
        supervise(environment, &self.plan, instance, record, self.shutdown.subscribe());
        Ok(())
    }

    fn forget(&self, instance: &Arc<Instance>) {
        self.instances.write().expect("no panic while held").retain(|other| !Arc::ptr_eq(other, instance));
    }

    /// For the record's header.
    pub(crate) fn describe(&self, planned: &PlannedArm, ready_ms: u64) -> record::Arm {
        let (local_edges, remote_edges) = suite::catalogue::edges(&self.plan.processes);
        let with_data = self.plan.processes.iter().filter(|process| !process.hosts.is_empty());
        record::Arm {
            letter: self.plan.letter,
            name: self.plan.name.clone(),
            topology: planned.topology.clone(),
            variant: planned.variant.clone(),
            instances: self
                .instances()
                .iter()
                .map(|instance| {
                    let status = instance.status();
                    record::Instance {
                        name: instance.name.clone(),
                        hosts: instance.hosts(),
                        port: status.listen.map_or(0, |addr| addr.port()),
                        public_port: status.public.map(|addr| addr.port()),
                    }
                })
                .collect(),
            policies: effective_policies(&self.plan.config.policies, &remote_edges),
            local_edges,
            remote_edges,
            databases: u32::try_from(with_data.count()).unwrap_or(u32::MAX),
            config_keys: self.plan.config.keys() * u32::try_from(self.instances().len()).unwrap_or(u32::MAX),
            ready_ms,
        }
    }

    /// Ends all processes: the door first, so that nobody's request is cut, the
    /// registry last.
    pub async fn shut_down(self, environment: &RunEnvironment) -> Vec<String> {
        self.shutdown.send_replace(true);
        let rank = |instance: &Instance| match (instance.process.gateway, instance.process.registry) {
            (true, _) => 0,
            (_, true) => 2,
            _ => 1,
        };
        let instances = self.instances();
        for wave in 0..3 {
            let stopping = instances.iter().filter(|instance| rank(instance) == wave);
            futures_util::future::join_all(stopping.map(|instance| stop(environment, instance))).await;
        }
        for group in std::mem::take(&mut *environment.cgroups.lock().expect("no panic while held")) {
            crate::process::cgroup::remove(&group);
        }
        let alive = |instance: &&Arc<Instance>| {
            instance.running().is_some_and(|running| running.exit_status().is_none())
        };
        instances.iter().filter(alive).map(|i| format!("{}/{}", self.plan.name, i.name)).collect()
    }
}

/// Watches an instance and brings it back as the scenario says.
fn supervise(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    instance: &Arc<Instance>,
    record: &RecordWriter,
    mut shutdown: watch::Receiver<bool>,
) {
    let (environment, plan, instance, record) =
        (environment.clone(), plan.clone(), instance.clone(), record.clone());
    let tasks = environment.tasks.clone();
    tasks.spawn("lab.supervise", ShutdownPolicy::Cancel, async move {
        while let Some(running) = instance.running() {
            let status = tokio::select! {
                status = running.wait() => status,
                _ = shutdown.wait_for(|shutdown| *shutdown) => return,
            };
            let since = runtime::clock::now();
            instance.state().health = Health::Down;
            if instance.is_stopping() {
                return;
            }
            let name = format!("{} {}", plan.letter, instance.name);
            record.event(
                EventKind::Health,
                0,
                format!("{name} went down: {}", crate::arm::children::describe_exit(status)),
            );
            let restarts = instance.status().restarts;
            let by_topology = plan.placement.restart.filter(|restart| restarts < restart.max);
            let after = instance.take_restart_delay().or(by_topology.map(|restart| restart.after));
            let Some(after) = after else { return };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(after)) => {}
                _ = shutdown.wait_for(|shutdown| *shutdown) => return,
            }
            instance.state().restarts += 1;
            match launch(&environment, &plan, instance.clone()).await {
                Ok(()) => {
                    let gap = since.elapsed().as_secs_f64();
                    record.event(EventKind::Health, 0, format!("{name} down -> up after {gap:.2}s"));
                }
                Err(error) => {
                    record.event(EventKind::Health, 0, format!("{name} did not come back: {error}"));
                    if instance.running().is_some_and(|running| running.exit_status().is_none()) {
                        return;
                    }
                }
            }
        }
    });
}

/// Names of components as the catalogue has them.
pub fn components() -> Vec<ComponentName> {
    suite::components()
}
