//! What a process is made of: services, and perhaps the public door.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use component::{Identity, Service};
use contract::ComponentName;
use futures_util::future::BoxFuture;
use history::History;
use policy::{BodyLimits, ClientOptions, EdgePattern, Policy};
use runtime::Tasks;
use storage::OutboundTopics;
use transport::Clusters;
use transport::serve::{self, Listener, Server};

/// Everything a node opens; by default nothing, which is what a registry needs.
#[derive(Default)]
pub struct NodeContents {
    /// The databases here and what lives on them, in the order they are opened.
    pub stores: Vec<StoreContents>,
    /// The public door, where it is here.
    pub gateway: Option<Box<dyn GatewayFactory>>,
}

/// A database, and the services that keep their data in it.
pub struct StoreContents {
    /// Names its file.
    pub name: String,
    /// The services, in the order they are opened.
    pub services: Vec<&'static Service<History>>,
    /// Topics published here that are consumed from another database: only
    /// these need outbox rows.
    pub outbound: OutboundTopics,
}

impl StoreContents {
    /// Whether a component keeps its data here.
    pub fn has(&self, component: ComponentName) -> bool {
        self.services.iter().any(|service| service.name == component)
    }

    /// Topics a service here consumes from other databases, by publisher.
    pub fn consumed_topics(&self, service: &Service<History>) -> Vec<(ComponentName, Vec<&'static str>)> {
        let publishers: BTreeSet<ComponentName> =
            service.consumes.iter().map(|topic| topic.publisher).collect();
        let topics_of = |publisher| {
            let own = service.consumes.iter().filter(move |topic| topic.publisher == publisher);
            (publisher, own.map(|topic| topic.name).collect())
        };
        publishers.into_iter().filter(|name| !self.has(*name)).map(topics_of).collect()
    }
}

impl NodeContents {
    /// One service by itself: everything it publishes is kept for consumers elsewhere.
    pub fn single(service: &'static Service<History>) -> Self {
        let outbound =
            OutboundTopics::without_known_consumers(service.publishes.iter().map(|topic| topic.name));
        let store = StoreContents { name: service.name.to_string(), services: vec![service], outbound };
        Self { stores: vec![store], gateway: None }
    }

    /// The services that live here, in the order they are opened.
    pub fn services(&self) -> impl Iterator<Item = &'static Service<History>> + '_ {
        self.stores.iter().flat_map(|store| store.services.iter().copied())
    }

    /// Components of other processes that are called or consumed from here.
    pub fn remote_dependencies(&self) -> BTreeSet<ComponentName> {
        let called = self.services().flat_map(|service| service.calls).map(|name| ComponentName::of(name));
        let consumed = self.services().flat_map(|service| service.consumes).map(|topic| topic.publisher);
        let upstreams = self.gateway.iter().flat_map(|gateway| gateway.upstreams());
        let here = |name: &ComponentName| self.services().any(|service| service.name == *name);
        called.chain(consumed).chain(upstreams).filter(|name| !here(name)).collect()
    }
}

/// Where a door leads and how it is opened: the business of another room.
pub trait GatewayFactory: Send + Sync {
    /// Components behind it.
    fn upstreams(&self) -> Vec<ComponentName>;
    /// Makes the door.
    ///
    /// # Errors
    /// A sentence with every fault of its routes.
    fn open(&self, context: GatewayContext) -> Result<Box<dyn PublicGateway>, String>;
}

/// What a door is given.
pub struct GatewayContext {
    /// Components in this process.
    pub hosts: Vec<ComponentName>,
    /// Their REST faces.
    pub rest: Router,
    /// Instances of other components.
    pub clusters: Clusters,
    /// Policies of the topology, by edge.
    pub policies: Vec<(EdgePattern, Policy)>,
    /// Leases of this process.
    pub faults: Arc<fault::LeaseTable>,
    /// The run's token.
    pub token: Arc<str>,
    /// Checks users' tokens, where the secret is known here.
    pub identity: Option<Arc<Identity>>,
    /// Bytes of request bodies that it may hold.
    pub request_bytes: BodyLimits,
    /// How much of it one client may have.
    pub clients: ClientOptions,
}

/// An open door.
pub trait PublicGateway: Send + Sync {
    /// The operator's side; never on the public port.
    fn admin(&self) -> Router;
    /// Serves the public.
    fn serve(&self, tasks: &Tasks, listener: Listener, options: serve::Options) -> Server;
    /// Closes its breakers and puts adaptive limits where they began, as if nothing had been asked yet.
    fn reset_edges(&self);
    /// Accepts no new request and waits for those under way.
    fn drain(&self) -> BoxFuture<'_, ()>;
}
