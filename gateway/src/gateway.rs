//! The gateway as a whole: what it is made from, how it is served, how it ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use contract::{ComponentName, Principal, Refusal};
use http::{HeaderMap, Request};
use policy::admission::AdmissionOptions;
use policy::{BodyLimits, BodyOptions, ClientOptions, EdgePattern, MinimumRate, Policy, for_edge};
use runtime::{Tasks, scope};
use telemetry::SecondBudget;
use transport::Body;
use transport::body_budget::BodyBudget;
use transport::serve::{self, Listener, Server};

use crate::admission_queue::AdmissionQueue;
use crate::api_keys::ApiKeys;
use crate::backend::{Backend, Location, Upstream};
use crate::clients::Clients;
use crate::config::{ConfigError, RouteTable};
use crate::request_body::BodyTerms;
#[cfg(feature = "response-cache")]
use crate::response_cache::{CacheOptions, CacheStats, ResponseCache};
use crate::table::{Resolve, Table};

/// Requests that are sampled in one second because their clients ask for it, where clients are limited: the spans of a request
/// cost more than most requests, and all of them share one export.
const MAX_CLIENT_TRACES_PER_SECOND: u32 = 50;

/// What a gateway is made from.
#[derive(Clone)]
pub struct Options {
    /// What changes at the operator's side must carry in `x-cleave-token`.
    pub token: Arc<str>,
    /// Policies of edges; those of `gateway->..` count here.
    pub policies: Vec<(EdgePattern, Policy)>,
    /// Faults in force.
    pub faults: Arc<fault::LeaseTable>,
    /// How many requests may be inside, and how many may wait.
    pub admit: AdmissionOptions,
    /// Bodies up to this many bytes are sent again if need be; longer ones once.
    pub keep_body: u64,
    /// Bytes of bodies that are held at once; beyond them a request is refused.
    pub request_bytes: BodyLimits,
    /// How slowly a body may come.
    pub body_rate: MinimumRate,
    /// How much of it one client may have.
    pub clients: ClientOptions,
    /// Whose token a request carries, if it is one of the suite's; `None` where its secret is not known here: then its
    /// presence is all that is asked for, and the component decides.
    pub authorize: Option<Authorize>,
    /// How much the response cache may hold, of routes that have one.
    #[cfg(feature = "response-cache")]
    pub response_cache: CacheOptions,
}

/// Decides by its headers whether a request may go on, and for whom.
pub type Authorize = Arc<dyn Fn(&HeaderMap) -> Result<Principal, Refusal> + Send + Sync>;

impl Options {
    /// The defaults: 512 requests served, 128 waiting, bodies of 64 KiB kept, 64 MiB of bodies held, and no client limited.
    pub fn new(token: Arc<str>) -> Self {
        Self {
            token,
            policies: Vec::new(),
            faults: Arc::default(),
            admit: AdmissionOptions::default(),
            // As linkerd keeps; a photo is longer, a JSON body shorter.
            keep_body: 64 * 1024,
            request_bytes: BodyOptions::default().requests(false),
            body_rate: MinimumRate::default(),
            clients: ClientOptions::default(),
            authorize: None,
            #[cfg(feature = "response-cache")]
            response_cache: CacheOptions::default(),
        }
    }
}

/// The public entry. Cheap to clone; all clones are one gateway.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub options: Options,
    pub table: Table,
    pub admission: AdmissionQueue,
    pub clients: Clients,
    pub api_keys: ApiKeys,
    pub bodies: BodyTerms,
    #[cfg(feature = "response-cache")]
    pub response_cache: ResponseCache,
    /// Traces that clients have asked for.
    pub traces: SecondBudget,
    backends: Arc<Backends>,
    draining: AtomicBool,
    server: OnceLock<Server>,
    /// Of the process that serves it: what outlives its request is started there.
    pub tasks: OnceLock<Tasks>,
}

/// Every component a table has named so far.
struct Backends {
    find: Box<dyn Fn(ComponentName) -> Option<Upstream> + Send + Sync>,
    policies: Vec<(EdgePattern, Policy)>,
    faults: Arc<fault::LeaseTable>,
    known: Mutex<HashMap<ComponentName, Arc<Backend>>>,
}

impl Gateway {
    /// A gateway with these routes. `find` is where a component is, `None` if
    /// it cannot be reached from here; asked once per component.
    ///
    /// # Errors
    /// Every fault of the table.
    pub fn new(
        options: Options,
        routes: RouteTable,
        find: impl Fn(ComponentName) -> Option<Upstream> + Send + Sync + 'static,
    ) -> Result<Self, Vec<ConfigError>> {
        let backends = Arc::new(Backends {
            find: Box::new(find),
            policies: options.policies.clone(),
            faults: options.faults.clone(),
            known: Mutex::default(),
        });
        let resolving = backends.clone();
        let resolve: Resolve = Box::new(move |name| resolving.get(name));
        let table = Table::new(routes, resolve)?;
        let admission = AdmissionQueue::new(options.admit);
        let clients = Clients::new(options.clients);
        let bodies = BodyTerms {
            keep: options.keep_body,
            rate: options.body_rate,
            budget: BodyBudget::new(options.request_bytes),
        };
        let shared = Shared {
            #[cfg(feature = "response-cache")]
            response_cache: ResponseCache::new(options.response_cache, options.clients.address.is_some()),
            options,
            table,
            admission,
            clients,
            api_keys: ApiKeys::default(),
            bodies,
            traces: SecondBudget::new(MAX_CLIENT_TRACES_PER_SECOND),
            backends,
            draining: AtomicBool::new(false),
            server: OnceLock::new(),
            tasks: OnceLock::new(),
        };
        Ok(Self(Arc::new(shared)))
    }

    /// Serves the public port: a `TcpListener`, or a [`Listener`] with a certificate.
    ///
    /// # Panics
    /// When it is served already: it has one port.
    pub fn serve(&self, tasks: &Tasks, listener: impl Into<Listener>, options: serve::Options) -> Server {
        let is_first = self.0.tasks.set(tasks.clone()).is_ok();
        assert!(is_first, "the gateway serves one public port");
        let gateway = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let gateway = gateway.clone();
            async move { Ok::<_, Infallible>(gateway.handle(request).await) }
        });
        // What is spawned here belongs to the gateway, also inside a monolith.
        let server = scope::enter(ComponentName::GATEWAY, || serve::serve(tasks, listener, service, options));
        self.0.server.get_or_init(|| server.clone());
        server
    }

    /// Leaves: drains the public port to its end. Returns how many connections
    /// were cut off with a request under way; 0 is a clean end.
    pub async fn drain(&self) -> usize {
        self.begin_drain();
        let Some(server) = self.0.server.get().cloned() else { return 0 };
        let aborted = server.finish().await;
        telemetry::drain_aborted(aborted as u64);
        aborted
    }

    /// The first step of [`Gateway::drain`]: not ready from now on, and every
    /// answer asks its client to go elsewhere.
    pub fn begin_drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        if let Some(server) = self.0.server.get() {
            server.begin_drain();
        }
    }

    /// Bytes of request bodies that are held now.
    pub fn held_request_bytes(&self) -> u64 {
        self.0.bodies.budget.held()
    }

    /// What the response cache holds now.
    #[cfg(feature = "response-cache")]
    pub fn cache_stats(&self) -> CacheStats {
        self.0.response_cache.stats()
    }

    /// Whether it still wants requests.
    pub fn is_ready(&self) -> bool {
        !self.0.draining.load(Ordering::Relaxed)
    }

    /// Closes every breaker and puts adaptive limits where they began, as if nothing had been asked yet.
    pub fn reset_edges(&self) {
        for backend in self.backends() {
            if let Location::Remote(stack) = &backend.location {
                stack.edge().reset();
            }
        }
    }

    /// The routes, to be read, replaced and rolled back.
    pub fn table(&self) -> &Table {
        &self.0.table
    }

    /// Every component a table has named so far, by name.
    pub(crate) fn backends(&self) -> Vec<Arc<Backend>> {
        let mut backends: Vec<_> = self.0.backends.known().values().cloned().collect();
        backends.sort_by_key(|backend| backend.name);
        backends
    }
}

impl Backends {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<ComponentName, Arc<Backend>>> {
        self.known.lock().expect("no panic while held")
    }

    fn get(&self, name: ComponentName) -> Option<Arc<Backend>> {
        if let Some(backend) = self.known().get(&name) {
            return Some(backend.clone());
        }
        let upstream = (self.find)(name)?;
        let policy = for_edge(&self.policies, ComponentName::GATEWAY.as_str(), name.as_str()).effective();
        let backend = Arc::new(Backend::new(name, upstream, policy, self.faults.clone()));
        Some(self.known().entry(name).or_insert(backend).clone())
    }
}
