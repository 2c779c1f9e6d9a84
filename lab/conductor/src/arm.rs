//! One arm: its processes, started in order, kept alive as the scenario says, ended together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::placement::Restart;
use contract::{ComponentName, ProcessPlan};
use node::NodeConfig;
use record::EventKind;
use runtime::{Fate, Tasks};
use tokio::sync::watch;

use crate::children::Spawner;
use crate::http::Asker;
use crate::instance::{ArmError, Health, Instance, launch, leave, prepare};
use crate::lines::Lines;
use crate::plan::Planned;

/// An arm whose door has not answered by then does not start.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How often readiness is asked for.
const READY_EVERY: Duration = Duration::from_millis(10);

/// What an arm is started from.
#[derive(Clone, Debug)]
pub struct ArmPlan {
    /// `A`, `B`, ...
    pub letter: char,
    /// Its name.
    pub name: String,
    /// Its processes.
    pub processes: Vec<ProcessPlan>,
    /// What brings a dead process back.
    pub restart: Option<Restart>,
    /// Configuration common to its nodes.
    pub config: NodeConfig,
    /// Its folder: databases, photo bytes, logs, configurations.
    pub folder: PathBuf,
    /// Requests that must be answered before it counts as ready.
    pub probes: Vec<String>,
}

/// What arms are started with.
#[derive(Clone)]
pub struct Ground {
    /// Starts children.
    pub spawner: Spawner,
    /// Owner of our tasks.
    pub tasks: Tasks,
    /// Asks nodes.
    pub asker: Asker,
    /// The program children are started from: ourselves.
    pub program: PathBuf,
}

/// A running arm.
pub struct Arm {
    /// What it was started from.
    pub plan: ArmPlan,
    /// Its processes' copies, in starting order.
    pub instances: Vec<Arc<Instance>>,
    /// The door.
    pub public: SocketAddr,
    ending: watch::Sender<bool>,
}

impl Arm {
    /// Starts the registry, then everybody else at once, and waits until the
    /// door answers every probe.
    ///
    /// # Errors
    /// When a process does not start or the arm does not get ready; what was
    /// started is ended again.
    pub async fn start(ground: &Ground, plan: ArmPlan, lines: &Lines) -> Result<Self, ArmError> {
        let ending = watch::Sender::new(false);
        let mut instances: Vec<Arc<Instance>> = Vec::new();
        let mut registry = None;
        let (first, others): (Vec<&ProcessPlan>, Vec<&ProcessPlan>) =
            plan.processes.iter().partition(|process| process.registry);
        for wave in [first, others] {
            let mut starts = Vec::new();
            for process in wave {
                for copy in 0..process.replicas {
                    let instance = Arc::new(prepare(&plan, process, copy, registry)?);
                    instances.push(instance.clone());
                    starts.push((instance.clone(), launch(ground, &plan, instance)));
                }
            }
            let (waiting, launched): (Vec<_>, Vec<_>) = starts.into_iter().unzip();
            for (instance, started) in waiting.iter().zip(futures_util::future::join_all(launched).await) {
                if let Err(error) = started {
                    drop(instances);
                    return Err(error);
                }
                keep_alive(ground, &plan, instance, lines, ending.subscribe());
            }
            registry = registry
                .or_else(|| waiting.iter().find(|i| i.process.registry).and_then(|i| i.glance().listen));
        }
        let public = instances.iter().find_map(|instance| instance.glance().public).ok_or_else(|| {
            ArmError::NotReady { arm: plan.name.clone(), reason: "no process has the public door".into() }
        })?;
        let arm = Self { plan, instances, public, ending };
        arm.wait_ready(ground).await?;
        Ok(arm)
    }

    async fn wait_ready(&self, ground: &Ground) -> Result<(), ArmError> {
        let until = runtime::clock::now() + START_LIMIT;
        for probe in &self.plan.probes {
            loop {
                let answer = ground.asker.get(self.public, probe, Duration::from_secs(2)).await;
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
                tokio::time::sleep(READY_EVERY).await;
            }
        }
        Ok(())
    }

    /// The instances that hold a component.
    pub fn holding<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Arc<Instance>> + 'a {
        self.instances.iter().filter(move |instance| instance.holds(component))
    }

    /// For the record's header.
    pub(crate) fn describe(&self, planned: &Planned, ready_ms: u64) -> record::Arm {
        let (local_edges, remote_edges) = suite::catalogue::edges(&self.plan.processes);
        let with_data = self.plan.processes.iter().filter(|process| !process.hosts.is_empty());
        record::Arm {
            letter: self.plan.letter,
            name: self.plan.name.clone(),
            topology: planned.topology.clone(),
            variant: planned.variant.clone(),
            instances: self
                .instances
                .iter()
                .map(|instance| {
                    let glance = instance.glance();
                    record::Instance {
                        name: instance.name.clone(),
                        hosts: instance.hosts(),
                        port: glance.listen.map_or(0, |addr| addr.port()),
                        public_port: glance.public.map(|addr| addr.port()),
                    }
                })
                .collect(),
            local_edges,
            remote_edges,
            databases: u32::try_from(with_data.count()).unwrap_or(u32::MAX),
            config_keys: self.plan.config.keys() * u32::try_from(self.instances.len()).unwrap_or(u32::MAX),
            ready_ms,
        }
    }

    /// Ends all processes: the door first, so that nobody's request is cut, the
    /// registry last.
    pub async fn end(self, ground: &Ground) -> Vec<String> {
        self.ending.send_replace(true);
        let rank = |instance: &Instance| match (instance.process.gateway, instance.process.registry) {
            (true, _) => 0,
            (_, true) => 2,
            _ => 1,
        };
        for wave in 0..3 {
            let leaving = self.instances.iter().filter(|instance| rank(instance) == wave);
            futures_util::future::join_all(leaving.map(|instance| leave(ground, instance))).await;
        }
        let alive =
            |instance: &&Arc<Instance>| instance.running().is_some_and(|running| running.end().is_none());
        self.instances.iter().filter(alive).map(|i| format!("{}/{}", self.plan.name, i.name)).collect()
    }
}

/// Watches an instance and brings it back as the scenario says.
fn keep_alive(
    ground: &Ground,
    plan: &ArmPlan,
    instance: &Arc<Instance>,
    lines: &Lines,
    mut ending: watch::Receiver<bool>,
) {
    let (ground, plan, instance, lines) = (ground.clone(), plan.clone(), instance.clone(), lines.clone());
    let tasks = ground.tasks.clone();
    tasks.spawn("lab.keep_alive", Fate::ShutDown, async move {
        while let Some(running) = instance.running() {
            let status = tokio::select! {
                status = running.ended() => status,
                _ = ending.wait_for(|ending| *ending) => return,
            };
            let since = runtime::clock::now();
            instance.state().health = Health::Down;
            let name = format!("{} {}", plan.letter, instance.name);
            lines.event(
                EventKind::Health,
                0,
                format!("{name} went down: {}", crate::children::ending(status)),
            );
            let restarts = instance.glance().restarts;
            let Some(restart) = plan.restart.filter(|restart| restarts < restart.max) else { return };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(restart.after)) => {}
                _ = ending.wait_for(|ending| *ending) => return,
            }
            instance.state().restarts += 1;
            match launch(&ground, &plan, instance.clone()).await {
                Ok(()) => {
                    let gap = since.elapsed().as_secs_f64();
                    lines.event(EventKind::Health, 0, format!("{name} down -> up after {gap:.2}s"));
                }
                Err(error) => {
                    lines.event(EventKind::Health, 0, format!("{name} did not come back: {error}"));
                    if instance.running().is_some_and(|running| running.end().is_none()) {
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
