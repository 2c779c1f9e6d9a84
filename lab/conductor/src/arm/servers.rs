//! Servers of databases and of events that an arm needs: children like its processes, started before them and ended after. What
//! is done to them meanwhile is `steps/server_faults.rs` and `steps/server_sessions.rs`.
//!
//! - [`ArmServers`]: those of an arm. [`availability`]: whether there can be any.
//! - `given`: what an arm keeps on servers that the lab has not started.
//! - [`disk`]: one that a step can fill. [`proxies`]: what stands between them and the processes, where a step or a network
//!   asks for it.
//! - [`server`]: one of them, as a tree of processes. `postgres`, `nats`: what it is started from, with the features so called.

pub mod disk;
mod given;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "postgres")]
mod postgres;
pub mod proxies;
#[cfg(feature = "postgres")]
pub mod refusals;
pub mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "postgres")]
use contract::ComponentName;
use contract::broker::BrokerAddress;
use contract::placement::StorePlan;
use contract::store::{ServerCount, StoreProduct};
use contract::{Placement, ProcessPlan};
use fault::target::EVENTS;
use node::NodeConfig;
use node::databases::ServerDatabase;
use record::EventKind;
use runtime::clock;
use storage::Location;

use self::proxies::ServerProxy;
use self::server::Server;
use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::environment::RunEnvironment;
#[cfg(not(feature = "postgres"))]
use crate::arm::given_servers::GivenPostgres;
use crate::arm::given_servers::GivenServers;
use crate::arm::server_error::ServerError;
use crate::arm::server_product::ServerProduct;
use crate::observe::sampling::SampledInstance;

/// The servers of an arm; none where its data are files and its events are pulled.
#[derive(Default)]
pub struct ArmServers {
    servers: Vec<Arc<Server>>,
    /// What they keep, by the names of the stores.
    databases: BTreeMap<String, ServerDatabase>,
    /// Where the broker is.
    broker: Option<BrokerAddress>,
    /// What opens the broker, where the arm's own secret does not.
    credentials: Option<String>,
    /// The password of what keeps the databases; empty where it asks for none.
    password: String,
    /// What was made on servers which stay.
    made: given::Made,
    /// How long they took until all accepted connections and had their databases.
    ready: Duration,
    proxies: Vec<Arc<ServerProxy>>,
}

/// A server as an arm will have it.
pub struct PlannedServer {
    /// `postgres#0`.
    pub name: String,
    /// Components whose data it keeps; `events` of the broker.
    pub holds: Vec<String>,
}

/// The servers that an arm will have.
pub fn planned(processes: &[ProcessPlan], placement: &Placement) -> Vec<PlannedServer> {
    let databases = stores_by_server(processes, placement).into_iter().enumerate();
    let mut planned: Vec<PlannedServer> = databases
        .map(|(number, stores)| PlannedServer {
            name: ServerProduct::Postgres.server_name(number),
            holds: stores.iter().flat_map(|store| &store.hosts).map(ToString::to_string).collect(),
        })
        .collect();
    planned.extend(placement.has_broker().then(|| PlannedServer {
        name: ServerProduct::Nats.server_name(0),
        holds: vec![EVENTS.to_string()],
    }));
    planned
}

/// What database servers an arm has, and what each keeps: one for all of its stores that are no files, or one for each.
pub fn stores_by_server(processes: &[ProcessPlan], placement: &Placement) -> Vec<Vec<StorePlan>> {
    let stores = processes.iter().flat_map(ProcessPlan::stores);
    let stores: Vec<StorePlan> = stores.filter(|store| store.product == StoreProduct::Postgres).collect();
    match placement.servers.unwrap_or_default() {
        ServerCount::One if stores.is_empty() => Vec::new(),
        ServerCount::One => vec![stores],
        ServerCount::Each => stores.into_iter().map(|store| vec![store]).collect(),
    }
}

/// Where servers of a product would come from.
///
/// # Errors
/// Why there can be none.
pub fn availability(product: ServerProduct) -> Result<String, String> {
    match product {
        #[cfg(feature = "postgres")]
        ServerProduct::Postgres => postgres::availability(),
        #[cfg(feature = "nats")]
        ServerProduct::Nats => nats::availability(),
        #[cfg(not(all(feature = "postgres", feature = "nats")))]
        _ => Err(format!("built without the feature `{}`", product.feature())),
    }
}

/// Whether the programs and the accounts for a topology's servers are there, before anything is started: for those that are not
/// there already.
///
/// # Errors
/// What is missing, and how to get it.
pub fn check(arm: &str, placement: &Placement, given: &GivenServers) -> Result<(), ServerError> {
    for product in ServerProduct::needed_by(placement).filter(|product| !given.has(*product)) {
        let arm = || arm.to_owned();
        if !product.is_built() {
            return Err(ServerError::NotBuilt { arm: arm(), product });
        }
        availability(product).map_err(|reason| ServerError::Unavailable { arm: arm(), product, reason })?;
    }
    Ok(())
}

impl ArmServers {
    /// Starts what an arm needs, with its databases, which are empty unless they were kept. Returns it with the databases
    /// that have to be filled.
    ///
    /// # Errors
    /// When a server does not start or refuses; what was started is ended again.
    pub async fn start(
        environment: &RunEnvironment,
        plan: &ArmPlan,
    ) -> Result<(Self, Vec<(StorePlan, Location)>), ArmError> {
        let mut servers = Self::default();
        let began = clock::now();
        match servers.start_all(environment, plan).await {
            Ok(empty) => {
                servers.ready = clock::now().saturating_duration_since(began);
                note_unmeasured(environment, plan);
                Ok((servers, empty))
            }
            Err(error) => {
                servers.shut_down(environment).await;
                Err(error)
            }
        }
    }

    async fn start_all(
        &mut self,
        environment: &RunEnvironment,
        plan: &ArmPlan,
    ) -> Result<Vec<(StorePlan, Location)>, ArmError> {
        let mut empty = Vec::new();
        if plan.placement.has_server() {
            empty = match &environment.given.postgres {
                Some(given) => make_databases(environment, given, plan, self).await?,
                None => start_databases(environment, plan, self).await?,
            };
        }
        if plan.placement.has_broker() && !self.take_broker(environment, plan) {
            start_broker(environment, plan, self).await?;
        }
        Ok(empty)
    }

    /// Where the processes of the arm find them, and what opens them.
    pub(super) fn configure(&self, config: &mut NodeConfig) {
        config.postgres.clone_from(&self.databases);
        config.postgres_password.clone_from(&self.password);
        config.broker.clone_from(&self.broker);
        if let Some(credentials) = &self.credentials {
            config.broker_credentials.clone_from(credentials);
        }
    }

    /// What they keep, by the names of the stores.
    pub const fn databases(&self) -> &BTreeMap<String, ServerDatabase> {
        &self.databases
    }

    /// Where the broker is; `None` where events are pulled.
    pub const fn broker(&self) -> Option<&BrokerAddress> {
        self.broker.as_ref()
    }

    /// How long they took until all accepted connections and had their databases, ms; 0 where the lab started none.
    pub fn ready_ms(&self) -> u64 {
        if self.servers.is_empty() {
            return 0;
        }
        u64::try_from(self.ready.as_millis()).unwrap_or(u64::MAX)
    }

    /// The servers as the sampler sees them.
    pub fn sampled(&self) -> Vec<SampledInstance> {
        self.servers.iter().map(|server| server.sampled()).collect()
    }

    /// Those of these names.
    pub fn named(&self, names: &[String]) -> Vec<Arc<Server>> {
        self.servers.iter().filter(|server| names.contains(&server.name)).cloned().collect()
    }

    /// The databases of a component that they keep: one of each of its processes that has data of its own.
    #[cfg(feature = "postgres")]
    pub fn addresses_of(
        &self,
        processes: &[ProcessPlan],
        component: ComponentName,
    ) -> Vec<storage::postgres::Address> {
        let stores = processes.iter().flat_map(ProcessPlan::stores);
        let of_component = stores.filter(|store| store.hosts.contains(&component));
        let databases = of_component.filter_map(|store| self.databases.get(&store.name));
        databases.filter_map(|database| database.address(&self.password).ok()).collect()
    }

    /// Ends them in order, and leaves nothing on those that stay.
    pub async fn shut_down(self, environment: &RunEnvironment) {
        self.made.remove(environment).await;
        for server in self.servers {
            server.shut_down(environment).await;
        }
    }
}

/// Records which servers of an arm have no figures.
fn note_unmeasured(environment: &RunEnvironment, plan: &ArmPlan) {
    let given = ServerProduct::needed_by(&plan.placement).filter(|product| environment.given.has(*product));
    for product in given {
        let text = format!(
            "{} {}: CPU and memory of its {} server are not measured: the lab did not start this server",
            plan.letter,
            plan.name,
            product.name()
        );
        environment.record.event(EventKind::Log, 0, text);
    }
}

#[cfg(feature = "postgres")]
use self::given::make_databases;
#[cfg(feature = "nats")]
use self::nats::start as start_broker;
#[cfg(feature = "postgres")]
use self::postgres::start as start_databases;

#[cfg(not(feature = "postgres"))]
fn make_databases(
    _environment: &RunEnvironment,
    _given: &GivenPostgres,
    plan: &ArmPlan,
    _servers: &mut ArmServers,
) -> std::future::Ready<Result<Vec<(StorePlan, Location)>, ArmError>> {
    std::future::ready(Err(not_built(plan, ServerProduct::Postgres)))
}

#[cfg(not(feature = "postgres"))]
fn start_databases(
    _environment: &RunEnvironment,
    plan: &ArmPlan,
    _servers: &mut ArmServers,
) -> std::future::Ready<Result<Vec<(StorePlan, Location)>, ArmError>> {
    std::future::ready(Err(not_built(plan, ServerProduct::Postgres)))
}

#[cfg(not(feature = "nats"))]
fn start_broker(
    _environment: &RunEnvironment,
    plan: &ArmPlan,
    _servers: &mut ArmServers,
) -> std::future::Ready<Result<(), ArmError>> {
    std::future::ready(Err(not_built(plan, ServerProduct::Nats)))
}

#[cfg(not(all(feature = "postgres", feature = "nats")))]
fn not_built(plan: &ArmPlan, product: ServerProduct) -> ArmError {
    ServerError::NotBuilt { arm: plan.name.clone(), product }.into()
}
