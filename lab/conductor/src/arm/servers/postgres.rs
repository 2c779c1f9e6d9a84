//! The PostgreSQL servers of an arm: which there are, and the databases in them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use contract::placement::StorePlan;
use node::databases::ServerDatabase;
use postgres_server::{Account, Cluster, Programs};
use storage::postgres::{Address, AddressError, check_version, create_database};
use storage::{Location, StorageError};

use super::server::{Server, ServerProgram};
use super::{ArmServers, stores_by_server};
use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::environment::RunEnvironment;
use crate::arm::server_error::ServerError;
use crate::arm::server_product::ServerProduct;

/// The one database of components that share one.
const SHARED: &str = "shared";
/// Connections a server takes beside those of the arm as it starts: for copies that are added, and a look into it.
const SPARE_CONNECTIONS: u32 = 400;

/// The program that serves databases, for an account that may run it.
///
/// # Errors
/// What is missing, or too old.
pub(super) fn availability() -> Result<String, String> {
    let programs = Programs::find().map_err(|why| why.to_string())?;
    // One that does not say shows itself when it is asked.
    if let Some(version) = programs.version() {
        check_version(&version).map_err(|why| format!("{}: {why}", programs.postgres.display()))?;
    }
    Account::find().map_err(|why| why.to_string())?;
    Ok(programs.postgres.display().to_string())
}

/// A cluster, with the connections that its server takes.
struct PostgresServer {
    cluster: Cluster,
    connections: u32,
}

impl ServerProgram for PostgresServer {
    fn product(&self) -> ServerProduct {
        ServerProduct::Postgres
    }

    fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    fn command(&self) -> Command {
        self.cluster.command(self.connections)
    }

    fn is_ready(&self, pid: u32) -> bool {
        self.cluster.is_ready(Some(pid))
    }

    fn data(&self) -> PathBuf {
        self.cluster.data().to_owned()
    }

    fn address(&self) -> Result<Address, StorageError> {
        self.cluster.url().parse().map_err(|why: AddressError| StorageError::Other(why.into()))
    }
}

/// Starts the database servers of an arm, one for all of its stores or one for each. Returns the databases that are empty.
pub(super) async fn start(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    servers: &mut ArmServers,
) -> Result<Vec<(StorePlan, Location)>, ArmError> {
    let groups = stores_by_server(&plan.processes, &plan.placement);
    let mut empty = Vec::new();
    for (number, stores) in groups.into_iter().enumerate() {
        empty.extend(start_one(environment, plan, number, stores, servers).await?);
    }
    Ok(empty)
}

async fn start_one(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    number: usize,
    stores: Vec<StorePlan>,
    servers: &mut ArmServers,
) -> Result<Vec<(StorePlan, Location)>, ArmError> {
    let (product, arm) = (ServerProduct::Postgres, || plan.name.clone());
    let unavailable = |reason: String| ServerError::Unavailable { arm: arm(), product, reason };
    let folder = plan.folder.join(product.folder_name(number));
    // Names of sockets are short.
    let sockets = plan.folder.join(format!("{}-s{number}", product.feature()));
    let cluster = Cluster::new(folder, sockets).map_err(|why| unavailable(why.with_cause()))?;
    open_folders(&cluster, &plan.folder, &environment.folder).map_err(|why| unavailable(why.to_string()))?;
    let is_fresh = !cluster.is_made();
    if is_fresh {
        let making = cluster.clone();
        runtime::blocking(move || making.make()).await.map_err(|why| {
            let cure = match why.is_of_rights() {
                true => "; the account `postgres` must be able to enter every folder above the run: choose another with --out",
                false => "",
            };
            unavailable(format!("{}{cure}", why.with_cause()))
        })?;
    }
    let components = stores.iter().flat_map(|store| &store.hosts).map(ToString::to_string).collect();
    let connections = plan.resources.readers + plan.resources.writers + SPARE_CONNECTIONS;
    let program = Box::new(PostgresServer { cluster: cluster.clone(), connections });
    let server = Arc::new(Server::new(plan, product.server_name(number), program, components));
    servers.servers.push(server.clone());
    server.start(environment).await?;
    let filled = fill(plan, &cluster, stores, is_fresh, &mut servers.databases).await;
    Ok(filled.map_err(|why| ServerError::Refused { arm: arm(), product, source: why.into() })?)
}

/// Lets the server's account, and no other, through an arm's folder and the run's: it can enter them, and not list them.
fn open_folders(cluster: &Cluster, arm: &Path, run: &Path) -> std::io::Result<()> {
    const ENTER_AS_GROUP: u32 = 0o010;
    std::fs::create_dir_all(arm)?;
    let Account::Other { gid, .. } = cluster.account() else { return Ok(()) };
    for folder in arm.ancestors().take_while(|folder| folder.starts_with(run)) {
        std::os::unix::fs::chown(folder, None, Some(gid))?;
        let mode = std::fs::metadata(folder)?.permissions().mode();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(mode | ENTER_AS_GROUP))?;
    }
    Ok(())
}

/// Makes the databases of some stores. Returns those that are empty.
async fn fill(
    plan: &ArmPlan,
    cluster: &Cluster,
    stores: Vec<StorePlan>,
    is_fresh: bool,
    databases: &mut BTreeMap<String, ServerDatabase>,
) -> Result<Vec<(StorePlan, Location)>, storage::StorageError> {
    let other = |why: storage::postgres::AddressError| storage::StorageError::Other(why.into());
    let server: Address = cluster.url().parse().map_err(other)?;
    let is_shared = plan.placement.shared_database;
    if is_fresh && is_shared {
        create_database(&server, SHARED).await?;
    }
    let mut empty = Vec::new();
    for (number, store) in stores.into_iter().enumerate() {
        let name = if is_shared { SHARED.to_owned() } else { database_name(number, &store.name) };
        if is_fresh && !is_shared {
            create_database(&server, &name).await?;
        }
        let schema = is_shared.then(|| store.hosts[0].to_string());
        let database = ServerDatabase { address: cluster.url_of(&name), schema };
        if is_fresh {
            empty.push((store.clone(), database.location("")?));
        }
        databases.insert(store.name, database);
    }
    Ok(empty)
}

/// `store0_app_feed` of `app.feed`, its server's first: no two are the same, whatever the processes are called. PostgreSQL
/// cuts names at 63 bytes.
fn database_name(number: usize, store: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("store{number}_{}", store.chars().take(40).map(plain).collect::<String>())
}
