//! The service opened in a temporary folder, with fakes of the components it calls.

use std::sync::Arc;

use axum::{Extension, Router};
use component::service_context::Settings;
use component::{Identity, Service, ServiceContext};
use contract::{Carrier, ComponentName, Event, Principal, Topic};
use history::History;
use runtime::Tasks;
use storage::{Blobs, Bus, Database, Effect, OutboundTopics};
use transport::CallRouter;
use transport::cluster::Clusters;

use crate::Databases;
use crate::client::context;

/// A service under test, and what it needs around it.
pub struct Subject {
    /// The service.
    pub service: &'static Service<History>,
    /// The answers of the components it asks, which are not there.
    pub fakes: fn(&CallRouter),
    /// What its tables hold at the start.
    pub history: fn() -> History,
    /// The service as a program of its own: `env!("CARGO_BIN_EXE_<name>")`.
    pub program: &'static str,
}

impl Subject {
    /// The components whose answers are fakes.
    pub(crate) fn absent(&self) -> Vec<ComponentName> {
        self.service.calls.iter().copied().map(ComponentName::of).collect()
    }

    /// Fills its tables.
    pub(crate) async fn load(&self, db: &Database) {
        db.migrate(self.service.name, self.service.migrations).await.expect("its migrations run");
        let mut tx = db.write().await.expect("the one writer is free");
        (self.service.load)(&mut tx, &(self.history)()).await.expect("its history loads");
        tx.commit().await.expect("commits");
    }
}

/// Settings that keep tests quick: the argon2 of a debug build takes seconds at full memory.
pub(crate) fn settings() -> Settings {
    Settings { argon2_kib: 64, ..Settings::default() }
}

/// A folder with a database, a bus, and a router of calls: what one process has.
pub(crate) struct Process {
    pub db: Database,
    pub bus: Bus,
    pub tasks: Tasks,
    pub calls: CallRouter,
    pub identity: Arc<Identity>,
    pub clusters: Clusters,
    databases: Databases,
}

/// Between processes of one test; never leaves it.
pub(crate) const RUN_TOKEN: &str = "the test's own token";
pub(crate) const SECRET: &str = "the test's own secret";

impl Process {
    /// A process that hosts `hosts` and publishes `outbound`.
    pub async fn start(
        carrier: Carrier,
        hosts: Vec<ComponentName>,
        outbound: &[Topic],
        databases: Databases,
    ) -> Self {
        let db = Database::open(databases.location("data"), storage::Options::default())
            .await
            .expect("a fresh database opens");
        let bus = Bus::new(
            db.clone(),
            OutboundTopics::without_known_consumers(outbound.iter().map(|topic| topic.name)),
        );
        let clusters = Clusters::new();
        let calls = CallRouter::new(transport::CallRouterOptions {
            carrier,
            clusters: clusters.clone(),
            services: Default::default(),
            copy: "test#0".into(),
            schema: 1,
            policies: Vec::new(),
            faults: Arc::new(fault::LeaseTable::default()),
            token: RUN_TOKEN.into(),
            hosts,
            seed: 42,
        });
        let identity = Arc::new(Identity::new(SECRET.as_bytes()).expect("a secret"));
        Self { db, bus, tasks: Tasks::new(), calls, identity, clusters, databases }
    }

    /// Opens the service here and loads its tables.
    pub async fn open(&self, subject: &Subject) -> Router {
        let service = subject.service;
        subject.load(&self.db).await;
        let context = ServiceContext {
            name: service.name,
            db: self.db.clone(),
            bus: self.bus.clone(),
            blobs: Blobs::open(&self.databases.folder().join("blobs")).expect("a fresh folder opens"),
            tasks: self.tasks.clone(),
            identity: self.identity.clone(),
            settings: settings(),
            calls: self.calls.clone(),
        };
        let router = (service.open)(&context).await.expect("it opens");
        router.layer(Extension(self.identity.clone())).layer(self.calls.server_layer(service.name))
    }

    /// Publishes from here, in a transaction of its own.
    pub async fn publish<E: Event>(&self, id: &str, event: &E) {
        let cx = context();
        let mut publication = self.bus.publication(&cx, event);
        loop {
            publication.gather().await;
            let mut tx = self.db.write().await.expect("the one writer is free");
            let effect = publication.publish(&mut tx, id.to_owned()).await;
            if effect.expect("subscribers accept the event") == Effect::Applied {
                return tx.commit().await.expect("commits");
            }
        }
    }

    /// What was published from here.
    pub async fn published<E: Event>(&self) -> Vec<E> {
        let batch = self
            .bus
            .outbox()
            .pull(E::TOPIC, 0, 256, std::time::Duration::ZERO)
            .await
            .expect("the outbox reads");
        batch.rows.iter().map(|row| row.open().expect("its own events read back")).collect()
    }

    pub fn token(&self, user: Principal) -> String {
        self.identity.token(user).expect("signs")
    }
}
