//! A process: its components, their databases, its doors, its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::{Extension, Router};
use component::{Identity, OpenError, Service, ServiceContext};
use contract::ComponentName;
use discovery::instance::{Epoch, InstanceId, ServiceName};
use discovery::{Location, LogError, LogOptions, Registrar, Registration, Registry, Watch, Watcher};
use history::History;
use policy::EdgePattern;
use runtime::{ShutdownPolicy, Tasks, clock};
use storage::{Blobs, Consumer, LocalSource, Source, StorageError};
use telemetry::Telemetry;
use tokio::net::UdpSocket;
use tokio::sync::{Mutex, Notify};
use transport::serve::{self, BindError, Server};
use transport::{CallRouter, CallRouterOptions, Clusters, Network};

use crate::broker::EventBroker;
use crate::config::NodeConfig;
use crate::contents::{GatewayContext, NodeContents, PublicGateway};
use crate::control::{self, ControlState};
use crate::fault_actuator::FaultActuator;
use crate::outbox::{self, HttpSource};
use crate::public_listener::{PublicError, public_listener};
use crate::secrets::{self, SecretError};
use crate::serving::{client_options, health, no_such_path, public_options, serve_options, wrong_method};
use crate::stores::{self, Store};

/// Time tasks have to end after the doors are closed.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// How long a node that announces nothing waits for the registry before it goes by its memory.
const FIRST_SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often gauges of databases are read.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(2);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its database or photo bytes.
    #[error("the data of `{process}` cannot be used")]
    Storage {
        /// Whose.
        process: String,
        /// Why.
        #[source]
        source: StorageError,
    },
    /// Its public port.
    #[error(transparent)]
    Public(#[from] PublicError),
    /// A component.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The gateway's routes.
    #[error("invalid route table: {0}")]
    Routes(String),
    /// A name the registry does not take.
    #[error("invalid instance `{0}`: expected letters, digits, `-` and a number, e.g. \"feed#0\"")]
    Instance(String),
    /// A policy of the configuration.
    #[error("invalid policy `{0}`: expected an edge, e.g. \"feed->follower\" or \"*->*\"")]
    Policy(String),
    /// It listens on all addresses, and none of them leads to the registry.
    #[error("no address of this machine leads to the registry at {registry}; is its name known here?")]
    NoRouteToRegistry {
        /// Where it should be.
        registry: Location,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The secret of users' tokens.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The log of the registry that lives here.
    #[error(transparent)]
    RegistryLog(#[from] LogError),
    /// The broker of its topology.
    #[error("events cannot be carried by the broker: {0}")]
    Broker(String),
    /// The configuration asks for something that needs a registry and names none.
    #[error("`{0}` shares a topology with other processes and needs `registry`, the address of one")]
    NoRegistry(String),
}

/// A running process.
pub struct Node {
    internal: Server,
    public: Option<Server>,
    door: Option<Arc<dyn PublicGateway>>,
    registry: Option<Registry>,
    registrar: Option<Registrar>,
    telemetry: Arc<Telemetry>,
    stores: Vec<Store>,
    calls: CallRouter,
    tasks: Tasks,
    leave: Arc<Notify>,
    component: ComponentName,
}

impl Node {
    /// Opens everything the process holds and serves it. The caller has set
    /// telemetry up and read the configuration.
    ///
    /// # Errors
    /// When a port, a database or a component does not open.
    pub async fn start(
        mut config: NodeConfig,
        contents: NodeContents,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, NodeError> {
        runtime::random::seed_process(config.seed);
        config.token = secrets::token(&config, &contents)?;
        let tasks = Tasks::new();
        let policies = policies(&config)?;
        let faults = Arc::<fault::LeaseTable>::default();
        for defect in &config.defects {
            faults.install(defect.clone());
        }
        let network = Network::new(config.network);
        let clusters = Clusters::across(network.clone());
        let token: Arc<str> = config.token.as_str().into();
        let calls = CallRouter::new(CallRouterOptions {
            carrier: config.carrier,
            clusters: clusters.clone(),
            policies: policies.clone(),
            faults: faults.clone(),
            token: token.clone(),
            services: config.services.clone(),
            copy: config.instance.as_str().into(),
            schema: config.schema,
            hosts: config.hosts().to_vec(),
            seed: config.seed,
        });
        let listener = serve::bind(config.listen).await?;
        let here = listener.local_addr().map_err(|source| BindError { addr: config.listen, source })?;
        let registry = config.registry.clone().or_else(|| config.process.registry.then(|| here.into()));
        let identity = secrets::identity(&config, &contents)?;
        let builder = NodeBuilder {
            config: &config,
            contents: &contents,
            registry,
            tasks: &tasks,
            calls: &calls,
            clusters: &clusters,
            to_registry: if config.process.registry { Network::loopback() } else { network.clone() },
            token: &token,
            identity: identity.clone(),
        };
        let OpenComponents { rest, stores } = builder.open_components().await?;
        let leave = Arc::new(Notify::new());
        let registry = config.process.registry.then(|| Registry::open(registry_options(&config, &token)));
        let registry = registry.transpose()?;
        if let Some(registry) = &registry {
            registry.start(&tasks);
        }
        let watcher = builder.watch_dependencies()?;
        let door = match &contents.gateway {
            Some(gateway) => {
                let context = GatewayContext {
                    hosts: config.hosts().to_vec(),
                    rest: rest.clone(),
                    clusters: clusters.clone(),
                    policies,
                    faults: faults.clone(),
                    token: token.clone(),
                    identity,
                    request_bytes: config.bodies().requests(config.settings.limits_per_address),
                    clients: client_options(&config),
                };
                Some(Arc::<dyn PublicGateway>::from(gateway.open(context).map_err(NodeError::Routes)?))
            }
            None => None,
        };
        let ready = Arc::new(AtomicBool::new(true));
        let state = ControlState {
            stores: stores.clone(),
            calls: calls.clone(),
            gateway: door.clone(),
            leave: leave.clone(),
            token: config.token.clone(),
        };
        let mut inside = Router::new()
            .merge(rest)
            .merge(calls.router())
            .merge(transport::control::router(faults.clone(), network.clone(), token.clone()))
            .merge(control::router(Arc::new(state)))
            .merge(telemetry::router(telemetry.clone()))
            .merge(health(ready.clone()));
        if !stores.is_empty() {
            let buses = stores.iter().map(|store| store.bus.clone()).collect();
            inside = inside.merge(outbox::router(buses, token.clone()));
        }
        if let Some(registry) = &registry {
            inside = inside.merge(registry.router());
        }
        if let Some(door) = &door {
            inside = inside.nest("/gateway", door.admin());
        }
        let inside = inside.fallback(no_such_path).method_not_allowed_fallback(wrong_method);
        let component = first_component(&config);
        // Its connections' work is labelled with the first component that lives here.
        let internal = runtime::scope::enter(component, || {
            serve::serve(&tasks, listener, inside, serve_options(config.carrier))
        });

        if let Some(watcher) = &watcher {
            let first_snapshot = watcher.first_snapshot();
            if contents.stores.is_empty() {
                // Without a registry the last snapshot on disk has to do.
                let _ = tokio::time::timeout(FIRST_SNAPSHOT_TIMEOUT, first_snapshot).await;
            } else {
                // What announces itself waits for the registry, and is called as soon as that has answered: it must know by
                // then which others there are.
                first_snapshot.await;
            }
        }
        let registrar = builder.announce(internal.addr()).await?;
        let public = match &door {
            Some(door) => Some(door.serve(&tasks, public_listener(&config).await?, public_options(&config))),
            None => None,
        };
        let actuator = FaultActuator {
            faults,
            stores: stores.clone(),
            clusters: clusters.clone(),
            ready,
            registrar: registrar.clone(),
            registry: registry.clone(),
        };
        actuator.start(&tasks);
        start_upkeep(&tasks, stores.clone());
        if !stores.is_empty() {
            stores::start_maintenance(&tasks, &stores);
        }
        Ok(Self {
            internal,
            public,
            door,
            registry,
            registrar,
            telemetry,
            stores,
            calls,
            tasks,
            leave,
            component,
        })
    }

    /// Its internal address.
    pub fn listen(&self) -> SocketAddr {
        self.internal.addr()
    }

    /// The public door's address, if it is here.
    pub fn public(&self) -> Option<SocketAddr> {
        self.public.as_ref().map(Server::addr)
    }

    /// Resolves when a client with the token asks the node to shut down.
    pub async fn shutdown_requested(&self) {
        self.leave.notified().await;
    }

    /// Leaves: takes its announcement back, lets requests under way end, stops
    /// consuming, sends its last spans, closes its databases.
    pub async fn shut_down(self) {
        if let Some(registrar) = &self.registrar {
            registrar.deregister().await;
        }
        if let Some(door) = &self.door {
            // Counts what it cut off by itself.
            door.drain().await;
        }
        if let Some(registry) = &self.registry {
            registry.close();
        }
        telemetry::drain_aborted(self.internal.finish().await as u64);
        self.calls.detached().finish(SHUTDOWN_GRACE).await;
        self.tasks.finish(SHUTDOWN_GRACE).await;
        let counts = self.telemetry.shutdown().await;
        tracing::info!(component = %self.component, ?counts, "left");
        for store in &self.stores {
            store.db.close().await;
        }
    }
}

/// What the opening of a node's parts has in common.
struct NodeBuilder<'a> {
    config: &'a NodeConfig,
    contents: &'a NodeContents,
    /// Where the registry is, or will be once this process serves.
    registry: Option<Location>,
    tasks: &'a Tasks,
    calls: &'a CallRouter,
    clusters: &'a Clusters,
    /// What lies between here and the registry; nothing where it lives in this process.
    to_registry: Network,
    token: &'a Arc<str>,
    /// Makes and checks users' tokens; `None` where no component lives and no secret is known.
    identity: Option<Arc<Identity>>,
}

struct OpenComponents {
    rest: Router,
    stores: Vec<Store>,
}

impl NodeBuilder<'_> {
    /// Opens the databases here and the components on them, in catalogue order.
    async fn open_components(&self) -> Result<OpenComponents, NodeError> {
        let config = self.config;
        let Some(identity) = self.identity.clone().filter(|_| !self.contents.stores.is_empty()) else {
            return Ok(OpenComponents { rest: Router::new(), stores: Vec::new() });
        };
        let process = || config.process.name.clone();
        let wrong = |source| NodeError::Storage { process: process(), source };
        let stores = stores::open(config, self.contents, self.tasks).await.map_err(wrong)?;
        let blobs = Blobs::open(&config.data.join("blobs")).map_err(wrong)?;
        let mut rest = Router::new();
        for (store, service) in services_of(&stores) {
            let context = ServiceContext {
                name: service.name,
                db: store.db.clone(),
                bus: store.bus.clone(),
                blobs: blobs.clone(),
                tasks: self.tasks.clone(),
                identity: identity.clone(),
                settings: config.settings.clone(),
                calls: self.calls.clone(),
            };
            let opened = runtime::scope::within(service.name, (service.open)(&context)).await?;
            rest = rest.merge(opened.layer(self.calls.server_layer(service.name)));
        }
        self.start_events(&stores).await?;
        Ok(OpenComponents { rest: rest.layer(Extension(identity)), stores })
    }

    /// Consumes what services here need to hear from other databases, of this process or another, and relays to the broker what
    /// those of other processes need to hear, where there is one.
    async fn start_events(&self, stores: &[Store]) -> Result<(), NodeError> {
        let broker = EventBroker::connect(self.config).await.map_err(NodeError::Broker)?;
        for (store, contents) in stores.iter().zip(&self.contents.stores) {
            for service in &store.services {
                let apply_lock = Arc::new(Mutex::new(()));
                for (publisher, topics) in contents.consumed_topics(service) {
                    let consumer = Consumer {
                        db: store.db.clone(),
                        component: service.name,
                        publisher,
                        source: self.source(broker.as_ref(), stores, publisher, service.name),
                        topics,
                        apply_lock: apply_lock.clone(),
                    };
                    consumer.start(&store.bus, self.tasks);
                }
            }
            if let Some(broker) = &broker {
                broker.start_relays(store, contents, self.config.hosts(), self.tasks);
            }
        }
        Ok(())
    }

    /// Where the events of a publisher come from.
    fn source(
        &self,
        broker: Option<&EventBroker>,
        stores: &[Store],
        publisher: ComponentName,
        consumer: ComponentName,
    ) -> Arc<dyn Source> {
        if let Some(here) = stores.iter().find(|store| store.has(publisher)) {
            return Arc::new(LocalSource { outbox: here.bus.outbox().clone(), consumer });
        }
        let (clusters, token) = (self.clusters.clone(), self.token.clone());
        let outbox = Arc::new(HttpSource { publisher, consumer, clusters, token });
        match broker {
            Some(broker) => broker.source(publisher, consumer, outbox),
            None => outbox,
        }
    }

    /// Follows the registry for every component that is needed here and runs elsewhere.
    fn watch_dependencies(&self) -> Result<Option<Watcher>, NodeError> {
        let config = self.config;
        let elsewhere = self.contents.remote_dependencies();
        let Some(registry) = self.registry.clone().filter(|_| !elsewhere.is_empty()) else {
            // One of several has to know where the others are; alone, their absence is what is asked for.
            let lost = !elsewhere.is_empty() && config.processes.len() > 1;
            return if lost { Err(NodeError::NoRegistry(config.instance.clone())) } else { Ok(None) };
        };
        let mut watch = Watch::new(registry, elsewhere.into_iter().collect());
        watch.network = self.to_registry.clone();
        watch.file = Some(config.data.join(format!("{}.registry.json", config.instance)));
        Ok(Some(Watcher::start(self.tasks, watch, self.clusters.clone())))
    }

    /// Announces the components that live here.
    async fn announce(&self, listen: SocketAddr) -> Result<Option<Registrar>, NodeError> {
        let config = self.config;
        let Some(registry) = self.registry.clone().filter(|_| !self.contents.stores.is_empty()) else {
            return Ok(None);
        };
        let addr = advertised_address(listen, &registry)
            .await
            .map_err(|source| NodeError::NoRouteToRegistry { registry: registry.clone(), source })?;
        let services = self.contents.services().map(|service| ServiceName::from(service.name));
        let epoch = Epoch(u64::try_from(clock::wall_us()).unwrap_or_default());
        let id =
            InstanceId::new(&config.instance).map_err(|_| NodeError::Instance(config.instance.clone()))?;
        let mut registration = Registration::new(registry, self.token.clone(), services, id, epoch, addr);
        registration.network = self.to_registry.clone();
        for instance in &mut registration.instances {
            instance.zone.clone_from(&config.zone);
            instance.version.clone_from(&config.build);
            instance.weight = config.weight;
        }
        let registrar = Registrar::start(self.tasks, registration);
        registrar.registered().await;
        Ok(Some(registrar))
    }
}

/// Where others find a listener: where it listens; on all addresses, at the one that the registry is
/// reached from. The kernel chooses it when a datagram socket is connected, and nothing is sent (udp(7)).
async fn advertised_address(listen: SocketAddr, registry: &Location) -> std::io::Result<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return Ok(listen);
    }
    let socket = UdpSocket::bind((listen.ip(), 0)).await?;
    socket.connect(registry.as_str()).await?;
    Ok((socket.local_addr()?.ip(), listen.port()).into())
}

fn registry_options(config: &NodeConfig, token: &Arc<str>) -> discovery::Options {
    let log = config.registry_log.as_ref().map(LogOptions::at);
    discovery::Options { log, ..discovery::Options::new(token.clone()) }
}

fn policies(config: &NodeConfig) -> Result<Vec<(EdgePattern, policy::Policy)>, NodeError> {
    let parse = |(text, policy): (&String, &policy::Policy)| {
        text.parse().map(|pattern| (pattern, policy.clone())).map_err(|_| NodeError::Policy(text.clone()))
    };
    config.policies.iter().map(parse).collect()
}

fn first_component(config: &NodeConfig) -> ComponentName {
    config.hosts().first().copied().unwrap_or(match config.process.registry {
        true => ComponentName::REGISTRY,
        false => ComponentName::GATEWAY,
    })
}

/// The services here, each with its database.
fn services_of(stores: &[Store]) -> impl Iterator<Item = (&Store, &'static Service<History>)> {
    stores.iter().flat_map(|store| store.services.iter().map(move |service| (store, *service)))
}

fn start_upkeep(tasks: &Tasks, stores: Vec<Store>) {
    tasks.spawn("stores.upkeep", ShutdownPolicy::Cancel, async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            stores::record_metrics(&stores).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_on_all_addresses_is_found_where_the_registry_is_reached_from() {
        let registry: Location = "127.0.0.1:7000".parse().expect("a place");
        let reached = |listen: &str| {
            let (listen, registry) = (listen.parse().expect("an address"), registry.clone());
            async move { advertised_address(listen, &registry).await.expect("loopback is there").to_string() }
        };
        assert_eq!(reached("0.0.0.0:7100").await, "127.0.0.1:7100");
        assert_eq!(reached("127.0.0.2:7100").await, "127.0.0.2:7100", "where it listens, it is found");
    }
}
