//! The whole application in this process, its databases grouped as a topology groups them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::{Extension, Router};
use component::service_context::{ServiceContext, Settings};
use component::{Identity, Service};
use contract::{Answer, Call, CallContext, Carrier, ComponentName, Pending, Placement};
use follower_api::{CountsOf, FollowersOf, PopularFollowedBy};
use futures_util::future::BoxFuture;
use history::History;
use node::stores::Store;
use profile_api::ProfilesByIds;
use runtime::Tasks;
use storage::{Blobs, Bus, Consumer, Database, LocalSource, Options, Synchronous};
use testkit::Databases;
use transport::cluster::Clusters;
use transport::{CallRouter, CallRouterOptions, Instance, serve};

const FOLLOWER: ComponentName = ComponentName::of("follower");

/// What happens after `follower` has listed the followers and before the list is used.
pub type Interruption = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// All components on the databases of a topology.
pub struct Application {
    /// The REST faces of all components.
    pub rest: Router,
    follower: Arc<InterruptedFollower>,
    stores: Vec<Store>,
    _tasks: Tasks,
    _databases: Databases,
}

/// `follower` as other components call it.
struct InterruptedFollower {
    calls: CallRouter,
    interruption: Mutex<Option<Interruption>>,
}

impl InterruptedFollower {
    fn client<C: Call>(&self) -> Arc<dyn Answer<C>> {
        self.calls.ask::<C>(ComponentName::of("feed"))
    }
}

impl Answer<FollowersOf> for InterruptedFollower {
    fn answer<'a>(
        &'a self,
        cx: &'a CallContext,
        call: FollowersOf,
    ) -> Pending<'a, <FollowersOf as Call>::Reply> {
        Box::pin(async move {
            let reply = self.client::<FollowersOf>().answer(cx, call).await;
            let interruption = self.interruption.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(interruption) = interruption {
                interruption().await;
            }
            reply
        })
    }
}

impl Answer<CountsOf> for InterruptedFollower {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: CountsOf) -> Pending<'a, <CountsOf as Call>::Reply> {
        Box::pin(async move { self.client::<CountsOf>().answer(cx, call).await })
    }
}

impl Answer<PopularFollowedBy> for InterruptedFollower {
    fn answer<'a>(
        &'a self,
        cx: &'a CallContext,
        call: PopularFollowedBy,
    ) -> Pending<'a, <PopularFollowedBy as Call>::Reply> {
        Box::pin(async move { self.client::<PopularFollowedBy>().answer(cx, call).await })
    }
}

/// The token of calls.
const RUN_TOKEN: &str = "of this test";

/// A router whose components live here, or are reached over sockets.
fn call_router(carrier: Carrier, clusters: &Clusters) -> CallRouter {
    CallRouter::new(CallRouterOptions {
        carrier,
        clusters: clusters.clone(),
        services: BTreeMap::new(),
        copy: "test#0".into(),
        schema: 1,
        policies: Vec::new(),
        faults: Arc::new(fault::LeaseTable::default()),
        token: RUN_TOKEN.into(),
        hosts: if carrier == Carrier::Local { suite::components() } else { Vec::new() },
        seed: 1,
    })
}

/// Serves what a router of calls answers, and lets all components be found there.
async fn serve_calls(calls: &CallRouter, clusters: &Clusters, tasks: &Tasks) {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("loopback has a free port");
    let options = serve::Options { http2: Some(serve::StreamLimits::default()), ..serve::Options::default() };
    let addr = serve::serve(tasks, listener, calls.router(), options).addr();
    for component in suite::components() {
        clusters.get(component).update(vec![Instance::new("test#0", addr)]);
    }
}

impl Application {
    /// Opens all components on the databases of a topology, with an outbox where an event goes from one to another. Calls
    /// are function calls, unless the topology lets them share connections of HTTP/2.
    pub async fn open(placement: &Placement) -> Self {
        Self::open_on(placement, Databases::files()).await
    }

    /// The same, with the databases of a place.
    pub async fn open_on(placement: &Placement, databases: Databases) -> Self {
        let (tasks, clusters) = (Tasks::new(), Clusters::new());
        let is_remote = placement.carrier == Carrier::Http2Binary;
        let carrier = if is_remote { placement.carrier } else { Carrier::Local };
        let (calls, of_follower) = (call_router(carrier, &clusters), call_router(Carrier::Local, &clusters));
        if is_remote {
            serve_calls(&calls, &clusters, &tasks).await;
        }
        let follower =
            Arc::new(InterruptedFollower { calls: of_follower.clone(), interruption: Mutex::default() });
        calls.answer::<FollowersOf>(follower.clone());
        calls.answer::<CountsOf>(follower.clone());
        calls.answer::<PopularFollowedBy>(follower.clone());
        of_follower.answer::<ProfilesByIds>(calls.ask::<ProfilesByIds>(FOLLOWER));

        let identity = Arc::new(Identity::new(b"of this test").expect("a secret"));
        let blobs = Blobs::open(&databases.folder().join("blobs")).expect("opens");
        let processes = placement.resolve(&suite::components()).expect("a placement of all components");
        let contents: Vec<_> =
            processes.iter().flat_map(|process| suite::contents::parts(process).stores).collect();
        let (mut stores, mut rest) = (Vec::new(), Router::new());
        for store in &contents {
            // Nothing here outlives the test, least of all a power cut.
            let quick = Options { synchronous: Synchronous::Off, ..Options::default() };
            let db = Database::open(databases.location(&store.name), quick).await.expect("opens");
            let bus = Bus::new(db.clone(), store.outbound.clone());
            for service in &store.services {
                db.migrate(service.name, service.migrations).await.expect("migrates");
                let context = ServiceContext {
                    name: service.name,
                    db: db.clone(),
                    bus: bus.clone(),
                    blobs: blobs.clone(),
                    tasks: tasks.clone(),
                    identity: identity.clone(),
                    settings: Settings { argon2_kib: 64, limits_per_address: false, ..Settings::default() },
                    calls: if service.name == FOLLOWER { of_follower.clone() } else { calls.clone() },
                };
                rest = rest.merge((service.open)(&context).await.expect("opens"));
            }
            stores.push(Store { db, bus, services: store.services.clone() });
        }
        for (store, contents) in stores.iter().zip(&contents) {
            for &service in &store.services {
                consume(service, store, &contents.consumed_topics(service), &stores, &tasks);
            }
        }
        Self { rest: rest.layer(Extension(identity)), follower, stores, _tasks: tasks, _databases: databases }
    }

    /// Lets something happen between the next answer of `follower` to who follows a user, and its use.
    pub fn interrupt(&self, with: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        let mut interruption = self.follower.interruption.lock().unwrap_or_else(PoisonError::into_inner);
        *interruption = Some(Box::new(with));
    }

    /// Whether such a thing is still to come.
    pub fn is_interruption_left(&self) -> bool {
        self.follower.interruption.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Events that some consumer has not applied yet.
    pub async fn waiting(&self) -> u64 {
        let mut waiting = 0;
        for store in &self.stores {
            waiting += store.bus.outbox().waiting().await.expect("counts");
        }
        waiting
    }

    /// What is kept, by component.
    pub async fn digests(&self) -> BTreeMap<&'static str, u64> {
        let mut digests = BTreeMap::new();
        for store in &self.stores {
            for service in &store.services {
                digests.insert(service.name.as_str(), (service.digest)(&store.db).await.expect("reads"));
            }
        }
        digests
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.stores.len()
    }
}

/// Lets a service hear of events from other databases.
fn consume(
    service: &'static Service<History>,
    store: &Store,
    topics: &[(ComponentName, Vec<&'static str>)],
    stores: &[Store],
    tasks: &Tasks,
) {
    let apply_lock = Arc::default();
    for (publisher, topics) in topics {
        let from = stores.iter().find(|store| store.has(*publisher)).expect("every component is here");
        let consumer = Consumer {
            db: store.db.clone(),
            component: service.name,
            publisher: *publisher,
            source: Arc::new(LocalSource { outbox: from.bus.outbox().clone(), consumer: service.name }),
            topics: topics.clone(),
            apply_lock: Arc::clone(&apply_lock),
        };
        consumer.start(&store.bus, tasks);
    }
}
