//! The PostgreSQL servers of an arm: which there are, and the databases in them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use contract::placement::StorePlan;
use node::databases::ServerDatabase;
use postgres_server::{Account, Cluster};
use storage::Location;
use storage::postgres::{Address, create_database};

use super::server::Server;
use super::{DatabaseServers, SERVER_FOLDER, name_of, stores_by_server};
use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::environment::RunEnvironment;
use crate::arm::server_error::ServerError;

/// The one database of components that share one.
const SHARED: &str = "shared";

/// Starts the servers of an arm, one for all of its stores or one for each.
pub(super) async fn start(
    environment: &RunEnvironment,
    plan: &ArmPlan,
) -> Result<(DatabaseServers, Vec<(StorePlan, Location)>), ArmError> {
    let groups = stores_by_server(&plan.processes, &plan.placement);
    let mut servers = DatabaseServers::default();
    let mut empty = Vec::new();
    for (number, stores) in groups.into_iter().enumerate() {
        let started = start_one(environment, plan, number, stores, &mut servers.databases, &mut empty).await;
        match started {
            Ok(server) => servers.servers.push(server),
            Err(error) => {
                servers.shut_down(environment).await;
                return Err(error);
            }
        }
    }
    Ok((servers, empty))
}

async fn start_one(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    number: usize,
    stores: Vec<StorePlan>,
    databases: &mut BTreeMap<String, ServerDatabase>,
    empty: &mut Vec<(StorePlan, Location)>,
) -> Result<Arc<Server>, ArmError> {
    let name = name_of(number);
    let unavailable = |reason: String| ServerError::Unavailable { arm: plan.name.clone(), reason };
    let folder = |of: &str| plan.folder.join(format!("{SERVER_FOLDER}{of}{number}"));
    // Names of sockets are short.
    let cluster = Cluster::new(folder(""), folder("s")).map_err(|why| unavailable(why.with_cause()))?;
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
    let server = Arc::new(Server::new(plan, name, cluster, components));
    server.start(environment).await?;
    if let Err(error) = fill(plan, &server.cluster, stores, is_fresh, databases, empty).await {
        server.shut_down(environment).await;
        return Err(ServerError::Refused { arm: plan.name.clone(), source: error }.into());
    }
    Ok(server)
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

/// Makes the databases of some stores.
async fn fill(
    plan: &ArmPlan,
    cluster: &Cluster,
    stores: Vec<StorePlan>,
    is_fresh: bool,
    databases: &mut BTreeMap<String, ServerDatabase>,
    empty: &mut Vec<(StorePlan, Location)>,
) -> Result<(), storage::StorageError> {
    let other = |why: storage::postgres::AddressError| storage::StorageError::Other(why.into());
    let server: Address = cluster.url().parse().map_err(other)?;
    let is_shared = plan.placement.shared_database;
    if is_fresh && is_shared {
        create_database(&server, SHARED).await?;
    }
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
    Ok(())
}

/// `store0_app_feed` of `app.feed`, its server's first: no two are the same, whatever the processes are called. PostgreSQL
/// cuts names at 63 bytes.
fn database_name(number: usize, store: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("store{number}_{}", store.chars().take(40).map(plain).collect::<String>())
}
