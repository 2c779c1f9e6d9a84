//! What an arm keeps on servers that the lab has not started: made as the arm starts, and removed as it ends.

use super::ArmServers;
use crate::arm::arm_plan::ArmPlan;
use crate::arm::environment::RunEnvironment;

#[cfg(feature = "postgres")]
pub(super) use self::databases::make as make_databases;

#[cfg(feature = "postgres")]
mod databases {
    use contract::placement::StorePlan;
    use node::databases::ServerDatabase;
    use storage::postgres::create_database;
    use storage::{Location, StorageError};

    use crate::arm::arm_plan::{ArmError, ArmPlan};
    use crate::arm::given_servers::GivenPostgres;
    use crate::arm::server_error::ServerError;
    use crate::arm::server_product::ServerProduct;
    use crate::arm::servers::{ArmServers, stores_by_server};

    /// The longest part of a database's name that is its store's, bytes: PostgreSQL cuts names at 63.
    const MAX_STORE_NAME: usize = 20;

    /// Makes the databases of an arm, with names of its run's own. All are empty.
    pub async fn make(
        given: &GivenPostgres,
        plan: &ArmPlan,
        servers: &mut ArmServers,
    ) -> Result<Vec<(StorePlan, Location)>, ArmError> {
        servers.password.clone_from(&given.password);
        let made = make_all(given, plan, servers).await;
        Ok(made.map_err(|why| ServerError::Refused {
            arm: plan.name.clone(),
            product: ServerProduct::Postgres,
            source: why.into(),
        })?)
    }

    async fn make_all(
        given: &GivenPostgres,
        plan: &ArmPlan,
        servers: &mut ArmServers,
    ) -> Result<Vec<(StorePlan, Location)>, StorageError> {
        let address = given.address()?;
        let is_shared = plan.placement.shared_database;
        let mut empty = Vec::new();
        let stores = stores_by_server(&plan.processes, &plan.placement).into_iter().flatten();
        for (number, store) in stores.enumerate() {
            let name = match is_shared {
                true => database_name(plan, "shared"),
                false => database_name(plan, &format!("{number}_{}", store.name)),
            };
            if !servers.made.contains(&name) {
                create_database(&address, &name).await?;
                servers.made.push(name.clone());
            }
            let schema = is_shared.then(|| store.hosts[0].to_string());
            let database = ServerDatabase { address: address.clone().database(&name).pairs(), schema };
            empty.push((store.clone(), database.location(&given.password)?));
            servers.databases.insert(store.name, database);
        }
        Ok(empty)
    }

    /// `cleave_20260101_000000_abcd_A_0_app_feed`: whose it is can be seen where a lab was killed and it stays.
    fn database_name(plan: &ArmPlan, store: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let (run, letter) = (&plan.config.run_id, plan.letter);
        let store: String = store.chars().take(MAX_STORE_NAME).collect();
        format!("cleave_{run}_{letter}_{store}").chars().map(plain).collect()
    }
}

impl ArmServers {
    /// Takes the broker that is there; `false` where none is.
    pub(super) fn take_broker(&mut self, environment: &RunEnvironment, plan: &ArmPlan) -> bool {
        let Some(given) = &environment.given.nats else { return false };
        self.broker = Some(given.address.clone());
        self.credentials = Some(given.credentials.clone());
        self.streams = Some(plan.config.broker_name());
        true
    }

    /// Removes what the arm kept on servers that stay. What prevents it is recorded.
    #[cfg(any(feature = "postgres", feature = "nats"))]
    pub(super) async fn leave_given(&self, environment: &RunEnvironment) {
        #[cfg(feature = "postgres")]
        if let Some(given) = environment.given.postgres.as_ref().filter(|_| !self.made.is_empty()) {
            for name in &self.made {
                let dropped = async { storage::postgres::drop_database(&given.address()?, name).await };
                if let Err(why) = dropped.await {
                    let text =
                        format!("database {name} stays on the server of --postgres, drop it by hand: {why}");
                    environment.record.event(record::EventKind::Log, 0, text);
                }
            }
        }
        #[cfg(feature = "nats")]
        if let (Some(name), Some(given)) = (&self.streams, &environment.given.nats) {
            let (address, credentials) = (given.address.clone(), given.credentials.clone());
            let options = storage::nats::BrokerOptions { address, credentials, name: name.clone() };
            let removed = async {
                let broker = storage::nats::Broker::connect_now(&options, "conductor").await?;
                broker.delete_streams(suite::components()).await
            };
            if let Err(why) = removed.await {
                let text =
                    format!("streams {name}-* stay on the server of --nats, remove them by hand: {why}");
                environment.record.event(record::EventKind::Log, 0, text);
            }
        }
    }
}
