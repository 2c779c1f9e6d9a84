//! Servers of databases that an arm needs: children like its processes, started before them and ended after. What is done to
//! them meanwhile is `steps/server_faults.rs`.

#[cfg(feature = "postgres")]
mod running;
#[cfg(feature = "postgres")]
mod server;

use std::collections::BTreeMap;
#[cfg(feature = "postgres")]
use std::sync::Arc;

use contract::placement::StorePlan;
use contract::store::{ServerCount, StoreProduct};
use contract::{Placement, ProcessPlan};
use node::databases::ServerDatabase;
use storage::Location;

use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::environment::RunEnvironment;
use crate::arm::server_error::ServerError;
use crate::observe::sampling::SampledInstance;

#[cfg(feature = "postgres")]
pub use self::server::Server;

/// What the names of their folders begin with, in the arm's folder.
pub const SERVER_FOLDER: &str = "postgres-";

/// The servers of an arm; none where its data are files.
#[derive(Default)]
pub struct DatabaseServers {
    #[cfg(feature = "postgres")]
    servers: Vec<Arc<Server>>,
    /// What they keep, by the names of the stores.
    databases: BTreeMap<String, ServerDatabase>,
}

/// What servers an arm has, and what each keeps: one for all of its stores that are no files, or one for each.
pub fn stores_by_server(processes: &[ProcessPlan], placement: &Placement) -> Vec<Vec<StorePlan>> {
    let stores = processes.iter().flat_map(ProcessPlan::stores);
    let stores: Vec<StorePlan> = stores.filter(|store| store.product == StoreProduct::Postgres).collect();
    match placement.servers.unwrap_or_default() {
        ServerCount::One if stores.is_empty() => Vec::new(),
        ServerCount::One => vec![stores],
        ServerCount::Each => stores.into_iter().map(|store| vec![store]).collect(),
    }
}

/// The name of an arm's server, counted from 0.
pub fn name_of(number: usize) -> String {
    format!("postgres#{number}")
}

/// Whether the programs and the account for a topology's servers are there, before anything is started.
///
/// # Errors
/// What is missing, and how to get it.
pub fn check(arm: &str, placement: &Placement) -> Result<(), ServerError> {
    if !placement.has_server() {
        return Ok(());
    }
    availability().map(drop).map_err(|reason| match cfg!(feature = "postgres") {
        true => ServerError::Unavailable { arm: arm.to_owned(), reason },
        false => ServerError::NotBuilt(arm.to_owned()),
    })
}

/// Where servers would come from.
///
/// # Errors
/// Why there can be none.
#[cfg(feature = "postgres")]
pub fn availability() -> Result<String, String> {
    let programs = postgres_server::Programs::find().map_err(|why| why.to_string())?;
    postgres_server::Account::find().map_err(|why| why.to_string())?;
    Ok(programs.postgres.display().to_string())
}

/// Where servers would come from.
///
/// # Errors
/// Always: this program was built without them.
#[cfg(not(feature = "postgres"))]
pub fn availability() -> Result<String, String> {
    Err("built without the feature `postgres`".into())
}

impl DatabaseServers {
    /// Starts what an arm needs, with its databases, which are empty unless they were kept. Returns it with the databases
    /// that have to be filled.
    ///
    /// # Errors
    /// When a server does not start or refuses; what was started is ended again.
    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "there is nothing to start"))]
    pub async fn start(
        environment: &RunEnvironment,
        plan: &ArmPlan,
    ) -> Result<(Self, Vec<(StorePlan, Location)>), ArmError> {
        if !plan.placement.has_server() {
            return Ok((Self::default(), Vec::new()));
        }
        #[cfg(feature = "postgres")]
        return running::start(environment, plan).await;
        #[cfg(not(feature = "postgres"))]
        {
            let _ = environment;
            Err(ServerError::NotBuilt(plan.name.clone()).into())
        }
    }

    /// What they keep, by the names of the stores.
    pub const fn databases(&self) -> &BTreeMap<String, ServerDatabase> {
        &self.databases
    }

    /// The servers as the sampler sees them.
    pub fn sampled(&self) -> Vec<SampledInstance> {
        #[cfg(feature = "postgres")]
        return self.servers.iter().map(|server| server.sampled()).collect();
        #[cfg(not(feature = "postgres"))]
        Vec::new()
    }

    /// Those of these names.
    #[cfg(feature = "postgres")]
    pub fn named(&self, names: &[String]) -> Vec<Arc<Server>> {
        self.servers.iter().filter(|server| names.contains(&server.name)).cloned().collect()
    }

    /// Ends them in order.
    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "there is nothing to end"))]
    pub async fn shut_down(self, environment: &RunEnvironment) {
        #[cfg(feature = "postgres")]
        for server in self.servers {
            server.shut_down(environment).await;
        }
        #[cfg(not(feature = "postgres"))]
        let _ = environment;
    }
}
