//! What an arm keeps on servers that the lab has not started: made as the arm starts, and removed as it ends, or by the guardian.

#[cfg(feature = "postgres")]
use std::sync::Mutex;

use record::EventKind;
#[cfg(feature = "postgres")]
use storage::postgres::Session;

use super::ArmServers;
use crate::arm::arm_plan::ArmPlan;
use crate::arm::environment::RunEnvironment;
use crate::process::guardian::UndoAction;
use crate::process::server_data::{self, ServerData};

#[cfg(feature = "postgres")]
pub(super) use self::databases::make as make_databases;

/// What an arm has on servers which stay.
#[derive(Default)]
pub(super) struct Made {
    /// Each with its number in the guardian's journal, where it could be written.
    data: Vec<(ServerData, Option<u64>)>,
    /// As long as it is open, the databases are in use for all who look at their server.
    #[cfg(feature = "postgres")]
    holder: Mutex<Option<Session>>,
}

impl Made {
    /// Notes what is about to be made.
    fn add(&mut self, environment: &RunEnvironment, data: ServerData) {
        let undo = environment.guardian.record_undo(&UndoAction::Server(data.clone()));
        self.data.push((data, undo));
    }

    /// Removes it. What prevents that is recorded, and the guardian tries again.
    pub(super) async fn remove(&self, environment: &RunEnvironment) {
        let data: Vec<ServerData> = self.data.iter().map(|(data, _)| data.clone()).collect();
        let removed = server_data::remove_each(&data, &environment.given.secrets()).await;
        for ((_, undo), removed) in self.data.iter().zip(removed) {
            match removed {
                Ok(()) => environment.guardian.mark_undone(undo.iter().copied().collect()),
                Err(reason) => environment.record.event(EventKind::Log, 0, reason),
            }
        }
    }
}

#[cfg(feature = "postgres")]
mod databases {
    use contract::placement::StorePlan;
    use node::databases::ServerDatabase;
    use storage::postgres::{Session, comment_on_database, create_database};
    use storage::{Location, StorageError};

    use crate::arm::arm_plan::{ArmError, ArmPlan};
    use crate::arm::environment::RunEnvironment;
    use crate::arm::given_servers::GivenPostgres;
    use crate::arm::server_error::ServerError;
    use crate::arm::server_product::ServerProduct;
    use crate::arm::servers::{ArmServers, stores_by_server};
    use crate::process::server_data::{DATABASE_COMMENT, DATABASE_PREFIX, ServerData};

    /// The longest part of a database's name that is its store's, bytes: PostgreSQL cuts names at 63.
    const MAX_STORE_NAME: usize = 20;

    /// Makes the databases of an arm, with names of its run's own. All are empty.
    pub async fn make(
        environment: &RunEnvironment,
        given: &GivenPostgres,
        plan: &ArmPlan,
        servers: &mut ArmServers,
    ) -> Result<Vec<(StorePlan, Location)>, ArmError> {
        servers.password.clone_from(&given.password);
        let made = make_all(environment, given, plan, servers).await;
        Ok(made.map_err(|why| ServerError::Refused {
            arm: plan.name.clone(),
            product: ServerProduct::Postgres,
            source: why.into(),
        })?)
    }

    async fn make_all(
        environment: &RunEnvironment,
        given: &GivenPostgres,
        plan: &ArmPlan,
        servers: &mut ArmServers,
    ) -> Result<Vec<(StorePlan, Location)>, StorageError> {
        let address = given.address()?;
        let prefix = name_prefix(plan);
        let mut holder = Session::hold(&address, &prefix).await?;
        let comment = format!("{DATABASE_COMMENT}: run {}, arm {}", plan.config.run_id, plan.name);
        let is_shared = plan.placement.shared_database;
        let mut empty = Vec::new();
        let stores = stores_by_server(&plan.processes, &plan.placement).into_iter().flatten();
        for (number, store) in stores.enumerate() {
            let name = match is_shared {
                true => database_name(&prefix, "shared"),
                false => database_name(&prefix, &format!("{number}_{}", store.name)),
            };
            if !is_shared || number == 0 {
                if holder.has_database(&name).await? {
                    return Err(StorageError::Other(is_there(&name).into()));
                }
                let server = given.address.clone();
                servers.made.add(environment, ServerData::Database { server, name: name.clone() });
                create_database(&address, &name).await?;
                comment_on_database(&address, &name, &comment).await?;
            }
            let schema = is_shared.then(|| store.hosts[0].to_string());
            let database = ServerDatabase { address: address.clone().database(&name).pairs(), schema };
            empty.push((store.clone(), database.location(&given.password)?));
            servers.databases.insert(store.name, database);
        }
        *servers.made.holder.get_mut().expect("no panic while held") = Some(holder);
        Ok(empty)
    }

    fn is_there(name: &str) -> String {
        format!(
            "database {name} is there already: a killed lab has left it; remove it with `cleave doctor --clean`"
        )
    }

    /// `cleave_20260101_000000_abcd_A_`: what the names of an arm's databases begin with.
    fn name_prefix(plan: &ArmPlan) -> String {
        plain(&format!("{DATABASE_PREFIX}{}_{}_", plan.config.run_id, plan.letter))
    }

    /// `cleave_20260101_000000_abcd_A_0_app_feed`: whose it is can be seen where a lab was killed and it stays.
    fn database_name(prefix: &str, store: &str) -> String {
        let store: String = store.chars().take(MAX_STORE_NAME).collect();
        format!("{prefix}{}", plain(&store))
    }

    fn plain(text: &str) -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    }
}

impl ArmServers {
    /// Takes the broker that is there; `false` where none is.
    pub(super) fn take_broker(&mut self, environment: &RunEnvironment, plan: &ArmPlan) -> bool {
        let Some(given) = &environment.given.nats else { return false };
        self.broker = Some(given.address.clone());
        self.credentials = Some(given.credentials.clone());
        // The processes make the streams that they need.
        let (server, name) = (given.address.clone(), plan.config.broker_name());
        self.made.add(environment, ServerData::Streams { server, name });
        true
    }
}
