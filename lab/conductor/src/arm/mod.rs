//! One deployment and its instances: started in order, supervised as the scenario asks, shut down together.
//!
//! - [`Arm`]: its instances as they come and go. Start here.
//! - [`arm_plan`]: what an arm is started from. [`environment`]: what the arms of a run share. [`resources`]: what its
//!   processes are given.
//! - [`instance`]: one copy of one process, and the limits in force on it. `launch`: started and stopped. `config_file`: with what.
//! - [`supervise`]: how a process that has died is started again.
//! - [`layout`]: an arm as targets see it.
//! - [`children`]: child processes, tied to the lab twice. [`servers`]: those that keep databases or carry events, and
//!   [`server_error`] why there are none. [`server_product`]: what they are.
//!   [`given_servers`]: those that are there already. `given_data`: what runs keep on them.
//! - `proxy`: on edges and before servers, where faults of connections act.

pub mod arm_plan;
pub mod children;
mod config_file;
pub mod environment;
mod given_data;
pub mod given_servers;
pub mod instance;
mod launch;
pub mod layout;
pub(crate) mod proxy;
pub mod resources;
pub mod server_error;
pub mod server_product;
pub mod servers;
pub mod supervise;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use contract::ProcessPlan;
use contract::placement::StorePlan;
use contract::store::StoreProduct;
use node::NodeConfig;
use policy::drain::DRAIN_TIMEOUT;
use tokio::sync::broadcast;

use self::arm_plan::{ArmError, ArmPlan, SuiteLoss};
use self::environment::RunEnvironment;
use self::instance::{Instance, Recovery};
use self::launch::{change_config, launch, prepare, stop};
use self::layout::ArmLayout;
use self::servers::ArmServers;
use self::supervise::{Supervision, SupervisionReport};
use crate::observe::sampling::{SampledArm, SampledInstance};
use crate::process::cgroup;

/// An arm whose public port has not answered by then does not start, on a busy machine either.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often readiness is asked for.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Time for the answer to one probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A running arm.
pub struct Arm {
    /// What it was started from.
    pub plan: ArmPlan,
    /// Its public address: the gateway's.
    pub public: SocketAddr,
    /// Its processes' copies, in starting order; they come and go.
    instances: RwLock<Vec<Arc<Instance>>>,
    registry: Option<SocketAddr>,
    /// What keeps its databases, where they are no files, and what carries its events, where they are not pulled.
    servers: ArmServers,
    supervision: Supervision,
    environment: RunEnvironment,
}

impl Arm {
    /// Starts the registry, then all other processes at once, and waits until the public port answers every probe. Servers
    /// that they need run already.
    ///
    /// # Errors
    /// When a process does not start or the arm does not get ready; what was started is ended again.
    pub async fn start(
        environment: &RunEnvironment,
        mut plan: ArmPlan,
        mut servers: ArmServers,
    ) -> Result<Self, ArmError> {
        servers.configure(&mut plan.config);
        let started = match servers.open_proxies(environment, &mut plan).await {
            Ok(()) => Self::start_processes(environment, plan).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(arm) => Ok(arm.with_servers(servers)),
            Err(error) => {
                servers.shut_down(environment).await;
                Err(error)
            }
        }
    }

    /// The arm, with what keeps its databases and carries its events.
    pub(crate) fn with_servers(self, servers: ArmServers) -> Self {
        Self { servers, ..self }
    }

    async fn start_processes(environment: &RunEnvironment, plan: ArmPlan) -> Result<Self, ArmError> {
        let supervision = Supervision::default();
        let mut instances: Vec<Arc<Instance>> = Vec::new();
        let mut registry = None;
        let (first, others): (Vec<&ProcessPlan>, Vec<&ProcessPlan>) =
            plan.processes.iter().partition(|process| process.registry);
        for wave in [first, others] {
            let mut starts = Vec::new();
            for process in wave {
                for copy in 0..process.replicas {
                    let instance = Arc::new(prepare(&plan, (process, copy), registry, None, &|_| {})?);
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
                supervision.supervise(environment, &plan, instance);
            }
            registry = registry
                .or_else(|| waiting.iter().find(|i| i.process.registry).and_then(|i| i.status().listen));
        }
        let public = instances.iter().find_map(|instance| instance.status().public);
        let public = public.ok_or_else(|| ArmError::NotReady {
            arm: plan.name.clone(),
            reason: "no process has a public port; name `gateway` in its topology".into(),
        })?;
        let arm = Self {
            plan,
            public,
            instances: RwLock::new(instances),
            registry,
            servers: ArmServers::default(),
            supervision,
            environment: environment.clone(),
        };
        arm.wait_ready().await?;
        Ok(arm)
    }

    async fn wait_ready(&self) -> Result<(), ArmError> {
        let until = runtime::clock::now() + START_TIMEOUT;
        for probe in &self.plan.probes {
            loop {
                let answer = self.environment.control.get(self.public, probe, PROBE_TIMEOUT).await;
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

    /// The instances of these names, as far as they exist.
    pub fn instances_named(&self, names: &[String]) -> Vec<Arc<Instance>> {
        self.instances().into_iter().filter(|instance| names.contains(&instance.name)).collect()
    }

    /// What keeps its databases, where they are no files, and what carries its events, where they are not pulled.
    pub const fn servers(&self) -> &ArmServers {
        &self.servers
    }

    /// Copies of a process, in order of their numbers.
    pub fn copies(&self, process: &str) -> Vec<Arc<Instance>> {
        self.instances().into_iter().filter(|instance| instance.process.name == process).collect()
    }

    /// The arm as targets see it.
    pub fn layout(&self) -> ArmLayout {
        let instances = self.instances().iter().map(|instance| instance.target()).collect();
        let ArmPlan { processes, placement, config, .. } = &self.plan;
        ArmLayout::new(instances, processes, placement, &config.services)
    }

    /// The arm as the sampler sees it.
    pub fn sampled(&self) -> SampledArm {
        let data = &self.plan.config.data;
        let sampled = |instance: &Arc<Instance>| {
            let status = instance.status();
            SampledInstance {
                name: instance.name.clone(),
                pid: status.pid,
                listen: status.listen,
                components: instance.hosts(),
                state: status.health.as_str(),
                is_up: status.health == instance::Health::Up,
                restarts: status.restarts,
                databases: files(&instance.process).map(|store| data.join(store.name)).collect(),
                server: None,
            }
        };
        let instances = self.instances().iter().map(sampled).chain(self.servers.sampled()).collect();
        SampledArm { letter: self.plan.letter, instances }
    }

    /// Starts one more copy of a process and waits until it serves and is known. It has the build and the policies of `like`,
    /// else of the process's oldest copy: while a deploy goes on that is what is deployed everywhere else.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn add_copy(
        &self,
        process: &ProcessPlan,
        like: Option<&Arc<Instance>>,
        change: &(dyn Fn(&mut NodeConfig) + Sync),
    ) -> Result<Arc<Instance>, ArmError> {
        let number = |instance: &Arc<Instance>| instance.name.rsplit('#').next()?.parse::<u32>().ok();
        let copies = self.copies(&process.name);
        let copy = copies.iter().filter_map(number).max().map_or(0, |last| last + 1);
        let like = like.or(copies.first()).map(|copy| &**copy);
        let instance = Arc::new(prepare(&self.plan, (process, copy), self.registry, like, change)?);
        self.instances.write().expect("no panic while held").push(instance.clone());
        if let Err(error) = launch(&self.environment, &self.plan, instance.clone()).await {
            self.forget(&instance);
            return Err(error);
        }
        self.supervision.supervise(&self.environment, &self.plan, &instance);
        Ok(instance)
    }

    /// Lets a copy finish what it has, and ends it for good.
    pub async fn remove_copy(&self, instance: &Arc<Instance>) {
        instance.set_stopping(true);
        let _turn = instance.turn().await;
        stop(&self.environment, instance, DRAIN_TIMEOUT).await;
        self.forget(instance);
    }

    /// Ends a copy and starts it again on the same ports, with a changed configuration.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn recreate_copy(
        &self,
        instance: &Arc<Instance>,
        change: &(dyn Fn(&mut NodeConfig) + Sync),
    ) -> Result<(), ArmError> {
        instance.set_stopping(true);
        let _turn = instance.turn().await;
        stop(&self.environment, instance, DRAIN_TIMEOUT).await;
        change_config(instance, change)?;
        launch(&self.environment, &self.plan, instance.clone()).await?;
        instance.set_stopping(false);
        self.supervision.supervise(&self.environment, &self.plan, instance);
        Ok(())
    }

    /// Asks a copy to drain, and kills it when it has not ended in time. It stays in the arm, and is not restarted.
    pub async fn stop_copy(&self, instance: &Arc<Instance>, within: Duration) {
        instance.set_stopping(true);
        let _turn = instance.turn().await;
        stop(&self.environment, instance, within).await;
    }

    /// Whether all its processes are in the arm's control group, whose weight then holds.
    pub fn is_weighted(&self) -> bool {
        let Some(group) = &self.plan.group else { return false };
        let members = cgroup::processes_in(group);
        let servers = self.servers.sampled();
        let servers = servers.iter().map(|server| server.pid).filter(|pid| *pid != 0);
        let mut pids = self.instances().iter().map(|instance| instance.status().pid).collect::<Vec<_>>();
        pids.extend(servers);
        pids.iter().all(|pid| members.contains(pid))
    }

    /// What happens to its processes from now on.
    pub fn reports(&self) -> broadcast::Receiver<SupervisionReport> {
        self.supervision.subscribe()
    }

    /// Why it cannot be kept up any longer; `None` where it can. One process alone is restarted; of several that are all
    /// dead at once something else is the cause, and it would meet their successors.
    pub fn loss(&self) -> Option<SuiteLoss> {
        let instances = self.instances();
        let given_up = instances.iter().find_map(|instance| match instance.recovery() {
            Recovery::GivenUp { restarts, reason } => {
                let (instance, log) = (instance.name.clone(), instance.log.clone());
                Some(SuiteLoss::KeepsDying { instance, restarts, reason, log })
            }
            Recovery::None | Recovery::Pending => None,
        });
        let is_any_alive = instances.iter().any(|instance| instance.running_pid().is_some());
        let comes_back = instances.len() == 1 && instances[0].recovery() == Recovery::Pending;
        let all_ended =
            || SuiteLoss::AllEnded { processes: instances.len(), folder: self.plan.folder.clone() };
        given_up.or_else(|| (!is_any_alive && !comes_back).then(all_ended))
    }

    fn forget(&self, instance: &Arc<Instance>) {
        let mut instances = self.instances.write().expect("no panic while held");
        instances.retain(|other| !Arc::ptr_eq(other, instance));
    }

    /// Ends all processes: the gateway first, so that no request is cut, the registry last. Returns the names of
    /// those that are still running.
    pub async fn shut_down(self) -> Vec<String> {
        self.supervision.end();
        let rank = |instance: &Instance| match (instance.process.gateway, instance.process.registry) {
            (true, _) => 0,
            (_, true) => 2,
            _ => 1,
        };
        let instances = self.instances();
        for wave in 0..3 {
            let stopping = instances.iter().filter(|instance| rank(instance) == wave);
            let stops = stopping.map(|instance| stop(&self.environment, instance, DRAIN_TIMEOUT));
            futures_util::future::join_all(stops).await;
        }
        self.servers.shut_down(&self.environment).await;
        let is_own = |group: &PathBuf| self.plan.group.as_ref().is_none_or(|own| group.starts_with(own));
        self.environment.cgroups.lock().expect("no panic while held").retain(|group| {
            if is_own(group) {
                cgroup::remove(group);
            }
            !is_own(group)
        });
        let alive = |instance: &&Arc<Instance>| {
            instance.running().is_some_and(|running| running.exit_status().is_none())
        };
        instances.iter().filter(alive).map(|i| format!("{}/{}", self.plan.name, i.name)).collect()
    }
}

/// The databases of a process that are files.
fn files(process: &ProcessPlan) -> impl Iterator<Item = StorePlan> {
    process.stores().into_iter().filter(|store| store.product == StoreProduct::Sqlite)
}

#[cfg(test)]
impl Arm {
    /// An arm whose instances are prepared and never started: they are targets, and nothing runs.
    pub(crate) fn prepared(environment: &RunEnvironment, plan: ArmPlan) -> Result<Self, ArmError> {
        let copies =
            plan.processes.iter().flat_map(|process| (0..process.replicas).map(move |copy| (process, copy)));
        let instances: Result<Vec<_>, ArmError> = copies
            .map(|(process, copy)| Ok(Arc::new(prepare(&plan, (process, copy), None, None, &|_| {})?)))
            .collect();
        Ok(Self {
            public: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
            instances: RwLock::new(instances?),
            registry: None,
            servers: ArmServers::default(),
            supervision: Supervision::default(),
            environment: environment.clone(),
            plan,
        })
    }
}
