//! The databases of a process: opened, measured, trimmed and closed together.

use std::time::Duration;

use component::Service;
use contract::ComponentName;
use contract::placement::StorePlan;
use contract::store::StoreProduct;
use history::History;
use runtime::{ShutdownPolicy, Tasks};
use storage::{Bus, Database, Options, StorageError};

use crate::config::NodeConfig;
use crate::contents::NodeContents;

/// How often outboxes are trimmed: seldom, a transaction is dear and rows are small.
const TRIM_INTERVAL: Duration = Duration::from_secs(30);

/// An open database, the events of the services that keep their data in it, and these services.
#[derive(Clone)]
pub struct Store {
    /// The database.
    pub db: Database,
    /// Where its services publish and subscribe.
    pub bus: Bus,
    /// Its services, in the order of the catalogue.
    pub services: Vec<&'static Service<History>>,
}

impl Store {
    /// Whether a component keeps its data here.
    pub fn has(&self, component: ComponentName) -> bool {
        self.services.iter().any(|service| service.name == component)
    }
}

/// Opens the databases of a process with the tables of their services.
pub(crate) async fn open(
    config: &NodeConfig,
    contents: &NodeContents,
    tasks: &Tasks,
) -> Result<Vec<Store>, StorageError> {
    let mut stores = Vec::new();
    for store in &contents.stores {
        let hosts = store.services.iter().map(|service| service.name).collect();
        let plan = StorePlan { name: store.name.clone(), hosts, product: StoreProduct::default() };
        let options = Options {
            shared: config.shared || config.process.replicas > 1,
            readers: config.readers(&plan),
            ..Options::default()
        };
        let db = Database::open(config.location(&store.name)?, options).await?;
        for service in &store.services {
            db.migrate(service.name, service.migrations).await?;
        }
        let mut bus = Bus::new(db.clone(), store.outbound.clone());
        let has_no_outbox = |name: &ComponentName| {
            config.services.get(name.as_str()).is_some_and(|service| service.outbox == Some(false))
        };
        let publishers: Vec<ComponentName> =
            store.services.iter().map(|service| service.name).filter(has_no_outbox).collect();
        if !publishers.is_empty() {
            bus.dual_write(tasks.clone(), &publishers);
        }
        if config.settings.calls_in_transaction {
            bus.call_in_transaction();
        }
        stores.push(Store { db, bus, services: store.services.clone() });
    }
    Ok(stores)
}

/// Drops what every consumer has applied, and keeps the databases small.
pub(crate) fn start_maintenance(tasks: &Tasks, stores: &[Store]) {
    Database::start_maintenance(stores.iter().map(|store| store.db.clone()).collect(), tasks);
    let stores = stores.to_vec();
    tasks.spawn("outbox.trim", ShutdownPolicy::Cancel, async move {
        loop {
            tokio::time::sleep(TRIM_INTERVAL).await;
            for store in &stores {
                if let Err(error) = store.bus.outbox().trim().await {
                    tracing::warn!(%error, "the outbox could not be trimmed");
                }
            }
        }
    });
}

/// Records how much the outboxes keep, each under the first component of its database.
pub(crate) async fn record_metrics(stores: &[Store]) {
    for store in stores {
        let Some(first) = store.services.first() else { continue };
        if let Err(error) = store.bus.outbox().record_metrics(first.name).await {
            tracing::warn!(%error, "the outbox could not be measured");
        }
    }
}
