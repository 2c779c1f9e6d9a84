//! The service in this process, reached by function calls.

use contract::{Call, Carrier, ComponentName, Event, Principal, Refusal};

use crate::client::context;
use crate::subject::Process;
use crate::{Client, Databases, Reply, Request, Subject};

/// The service and its fakes, in one process with one database.
pub struct InProcess {
    process: Process,
    router: axum::Router,
}

impl InProcess {
    /// Calls are function calls.
    pub async fn local(subject: &Subject) -> Self {
        Self::open(subject, Carrier::Local, Databases::files()).await
    }

    /// Calls are encoded and decoded on the way.
    pub async fn wire(subject: &Subject) -> Self {
        Self::open(subject, Carrier::Wire, Databases::files()).await
    }

    /// Calls are function calls, and the database is on a PostgreSQL server. None, with the reason printed, where no server
    /// can be had.
    pub async fn on_server(subject: &Subject) -> Option<Self> {
        Some(Self::open(subject, Carrier::Local, Databases::on_server()?).await)
    }

    async fn open(subject: &Subject, carrier: Carrier, databases: Databases) -> Self {
        let mut hosts = vec![subject.service.name];
        hosts.extend(subject.absent());
        let process = Process::start(carrier, hosts, subject.service.publishes, databases).await;
        (subject.fakes)(&process.calls);
        let router = process.open(subject).await;
        Self { process, router }
    }

    /// The digest of what the service keeps.
    pub async fn digest(&self, subject: &Subject) -> u64 {
        (subject.service.digest)(&self.process.db).await.expect("its tables read")
    }
}

impl Client for InProcess {
    async fn send(&self, request: Request) -> Reply {
        request.send_to(&self.router).await
    }

    async fn ask<C: Call>(&self, call: C) -> Result<C::Reply, Refusal> {
        self.process.calls.ask::<C>(ComponentName::CLIENT).answer(&context(), call).await
    }

    async fn publish<E: Event>(&self, id: &str, event: E) {
        self.process.publish(id, &event).await;
    }

    async fn published<E: Event>(&self) -> Vec<E> {
        self.process.published().await
    }

    fn token(&self, user: Principal) -> String {
        self.process.token(user)
    }
}
