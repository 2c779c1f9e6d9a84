//! A PostgreSQL server as a child of the run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::ProcessPlan;
use contract::placement::StorePlan;
use contract::store::{ServerCount, StoreProduct};
use nix::sys::signal::Signal;
use node::databases::ServerDatabase;
use postgres_server::{Account, Cluster};
use runtime::clock;
use storage::Location;
use storage::postgres::{Address, create_database};

use super::{DatabaseServers, SERVER_FOLDER};
use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::children::{ChildProcess, ChildSpec, describe_exit};
use crate::arm::environment::RunEnvironment;
use crate::arm::server_error::ServerError;
use crate::observe::sampling::SampledInstance;
use crate::process::cgroup;
use crate::process::guardian::{ProcessIdentity, UndoAction};

/// A server that accepts no connections by then does not start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is asked.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Time it has to end in order.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections it takes: an arm of any size, and some for a look into it.
const CONNECTIONS: u32 = 400;
/// As the processes of an arm: cores are shared with the generator, which comes first.
const NICENESS: &str = "5";
/// The one database of components that share one.
const SHARED: &str = "shared";

/// A running server.
pub(super) struct Server {
    name: String,
    cluster: Cluster,
    components: Vec<String>,
    running: Arc<ChildProcess>,
    undo: Option<u64>,
}

/// Starts the servers of an arm, one for all of its stores or one for each.
pub(super) async fn start(
    environment: &RunEnvironment,
    plan: &ArmPlan,
) -> Result<(DatabaseServers, Vec<(StorePlan, Location)>), ArmError> {
    let stores = plan.processes.iter().flat_map(ProcessPlan::stores);
    let stores: Vec<StorePlan> = stores.filter(|store| store.product == StoreProduct::Postgres).collect();
    let groups: Vec<Vec<StorePlan>> = match plan.placement.servers.unwrap_or_default() {
        ServerCount::One => vec![stores],
        ServerCount::Each => stores.into_iter().map(|store| vec![store]).collect(),
    };
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
) -> Result<Server, ArmError> {
    let name = format!("postgres#{number}");
    let unavailable = |reason: String| ServerError::Unavailable { arm: plan.name.clone(), reason };
    // Names of sockets are short.
    let sockets = plan.folder.join(format!("s{number}"));
    let cluster = Cluster::new(plan.folder.join(format!("{SERVER_FOLDER}{number}")), sockets)
        .map_err(|why| unavailable(with_cause(&why)))?;
    open_folders(&cluster, &plan.folder).map_err(|why| unavailable(why.to_string()))?;
    let is_fresh = !cluster.is_made();
    if is_fresh {
        let making = cluster.clone();
        runtime::blocking(move || making.make()).await.map_err(|why| {
            unavailable(format!(
                "{}; every folder above the run's must be open to the account that runs it, choose others with --out",
                with_cause(&why)
            ))
        })?;
    }
    let components = stores.iter().flat_map(|store| &store.hosts).map(ToString::to_string).collect();
    let server = launch(environment, plan, name, cluster, components).await?;
    if let Err(error) = fill(plan, &server.cluster, stores, is_fresh, databases, empty).await {
        server.shut_down(environment).await;
        return Err(ServerError::Refused { arm: plan.name.clone(), source: error }.into());
    }
    Ok(server)
}

/// Lets another account through an arm's folder and the run's; what is in them stays closed to it.
fn open_folders(cluster: &Cluster, arm: &Path) -> std::io::Result<()> {
    const ENTER: u32 = 0o111;
    std::fs::create_dir_all(arm)?;
    if cluster.account() == Account::Own {
        return Ok(());
    }
    for folder in arm.ancestors().take(2) {
        let mode = std::fs::metadata(folder)?.permissions().mode();
        if mode & ENTER != ENTER {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(mode | ENTER))?;
        }
    }
    Ok(())
}

async fn launch(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    name: String,
    cluster: Cluster,
    components: Vec<String>,
) -> Result<Server, ArmError> {
    let log = plan.folder.join(format!("{name}.log"));
    let serve = cluster.command(CONNECTIONS);
    // The folder that the lab was started in may be closed to the server's account.
    let mut arguments: Vec<_> = ["-C", "/", "nice", "-n", NICENESS].map(Into::into).to_vec();
    arguments.push(serve.get_program().to_owned());
    arguments.extend(serve.get_args().map(ToOwned::to_owned));
    let spec = ChildSpec {
        name: format!("{}/{name}", plan.name),
        program: "env".into(),
        arguments,
        environment: Vec::new(),
        log: log.clone(),
    };
    let (running, _output) = environment.spawner.spawn(spec).await?;
    let undo = environment.guardian.record_undo(&UndoAction::Kill(ProcessIdentity::of(running.pid)));
    if let Some(group) = &plan.group {
        // Before it has children, which are where it is. Where that is refused, so it is for the arm's processes, which is
        // recorded.
        let _ = cgroup::join(&cgroup::members_of(group), running.pid);
    }
    let server = Server { name, cluster, components, running: Arc::new(running), undo };
    let until = clock::now() + START_TIMEOUT;
    while !server.cluster.is_ready() {
        let ended = server.running.exit_status().map(describe_exit);
        if ended.is_some() || clock::now() > until {
            let reason = ended.map_or_else(
                || format!("it accepts no connections within {START_TIMEOUT:?}"),
                |end| format!("it ended with {end}"),
            );
            let reason = format!("{reason}; its log is {}", log.display());
            server.shut_down(environment).await;
            return Err(ServerError::Unavailable { arm: plan.name.clone(), reason }.into());
        }
        tokio::time::sleep(READY_POLL_INTERVAL).await;
    }
    Ok(server)
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
    for store in stores {
        let name = if is_shared { SHARED.to_owned() } else { database_name(&store.name) };
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

/// `app_feed` of `app.feed`.
fn database_name(store: &str) -> String {
    store.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Server {
    /// As the sampler sees it.
    pub(super) fn sampled(&self) -> SampledInstance {
        let is_up = self.running.exit_status().is_none();
        SampledInstance {
            name: self.name.clone(),
            pid: self.running.pid,
            listen: None,
            components: self.components.clone(),
            state: if is_up { "up" } else { "down" },
            is_up,
            restarts: 0,
            databases: vec![self.cluster.data().to_owned()],
            is_server: true,
        }
    }

    /// Ends it: open transactions are rolled back, and it writes what it has to.
    pub(super) async fn shut_down(self, environment: &RunEnvironment) {
        // "Fast shutdown" (PostgreSQL, 19.5).
        let _ = self.running.signal(Signal::SIGINT);
        if tokio::time::timeout(STOP_TIMEOUT, self.running.wait()).await.is_err() {
            // Its children end with it.
            let _ = self.running.signal(Signal::SIGKILL);
            self.running.wait().await;
        }
        environment.guardian.mark_undone(self.undo.into_iter().collect());
    }
}
