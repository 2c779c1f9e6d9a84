//! Finds the answer to a call, from here: in this process, or behind an edge.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use contract::hash::mix;
use contract::{Answer, Call, CallContext, Carrier, ComponentName, Pending, Refusal};
use fault::LeaseTable;
use policy::{Cancellation, EdgePattern, EffectivePolicy, Policy, ServiceOptions};
use runtime::{Tasks, clock};

use crate::call_route::{CallRoute, DecodingHandler};
use crate::carrier::local::LocalClient;
use crate::carrier::remote::{CallTarget, RemoteClient};
use crate::carrier::wire::WireClient;
use crate::carrier::{CallHandler, callee};
use crate::cluster::Clusters;
use crate::edge::Edge;
use crate::server_stack::{ServerStack, SimulatedServer, SimulatedServers};

/// What a process's router of calls is made from.
pub struct CallRouterOptions {
    /// How calls travel between processes; `wire` also encodes those within.
    pub carrier: Carrier,
    /// Where the other components are.
    pub clusters: Clusters,
    /// Policies of edges; the most specific pattern wins.
    pub policies: Vec<(EdgePattern, Policy)>,
    /// Faults in force.
    pub faults: Arc<LeaseTable>,
    /// The run's token; calls without it are refused.
    pub token: Arc<str>,
    /// Shapes of components, as the scenario declares them.
    pub services: BTreeMap<String, ServiceOptions>,
    /// Version of the messages spoken here; others are not understood.
    pub schema: u32,
    /// This copy of its process: `photo#0`.
    pub copy: Arc<str>,
    /// Components that live here.
    pub hosts: Vec<ComponentName>,
    /// The run's seed.
    pub seed: u64,
}

/// Finds the way from a caller to the component that answers. Cheap to clone.
#[derive(Clone)]
pub struct CallRouter(pub(crate) Arc<RouterState>);

pub(crate) struct RouterState {
    pub options: CallRouterOptions,
    /// By the name of the call.
    answers: RwLock<HashMap<&'static str, RegisteredCall>>,
    edges: Mutex<HashMap<(ComponentName, ComponentName), Arc<Edge>>>,
    /// Work that goes on although its caller has left.
    pub detached: Tasks,
    /// Whether any policy asks for that, so that most processes need not look.
    any_detach: bool,
    simulated: SimulatedServers,
}

struct RegisteredCall {
    /// An `Arc<CallHandler<C>>`.
    handler: Box<dyn Any + Send + Sync>,
    entry: Arc<CallRoute>,
}

impl CallRouter {
    /// A router without answers yet.
    pub fn new(options: CallRouterOptions) -> Self {
        let any_detach =
            options.policies.iter().any(|(_, policy)| policy.cancel == Some(Cancellation::Detach));
        let detached = Tasks::new();
        let simulated = options.hosts.iter().filter_map(|host| {
            let service = options.services.get(host.as_str()).filter(|service| !service.is_plain())?;
            Some((*host, Arc::new(SimulatedServer::new(*host, service, options.seed, detached.clone()))))
        });
        let simulated = simulated.collect();
        let (answers, edges) = Default::default();
        Self(Arc::new(RouterState { options, answers, edges, detached, any_detach, simulated }))
    }

    /// Lets every component ask `C`: by function call here, at `POST /call/{NAME}` from elsewhere.
    ///
    /// # Panics
    /// When `C` has an answer already: two of them are an error of the catalogue.
    pub fn answer<C: Call>(&self, service: Arc<dyn Answer<C>>) {
        let handler = Arc::new(CallHandler::<C>::new(service, self.0.server_stack(callee::<C>())));
        let entry = Arc::new(CallRoute::new(DecodingHandler::new(handler.clone())));
        let registered = RegisteredCall { handler: Box::new(handler), entry };
        let before = self.0.answers.write().expect("no panic while held").insert(C::NAME, registered);
        assert!(before.is_none(), "`{}` has two answers in one process", C::NAME);
    }

    /// The answer to `C`, for calls of `caller`. The way is found at the
    /// first question, so components may be opened in any order.
    pub fn ask<C: Call>(&self, caller: ComponentName) -> Arc<dyn Answer<C>> {
        Arc::new(LazyClient::<C> { router_state: self.0.clone(), caller, client: OnceLock::new() })
    }

    /// What a caller knows of a callee: breaker, budget, bulkhead, adaptive limit.
    pub fn edge(&self, caller: ComponentName, callee: ComponentName) -> Arc<Edge> {
        self.0.edge(caller, callee)
    }

    /// Puts caches as they are declared, closes breakers and forgets latencies, as if nothing had been asked yet.
    pub fn reset(&self) {
        for edge in self.0.edges.lock().expect("no panic while held").values() {
            edge.reset();
        }
        for server in self.0.simulated.values() {
            server.reset_cache();
        }
    }

    /// Owner of work that goes on after its caller left (`cancel = "detach"`).
    /// Finish it at the end of the process.
    pub fn detached(&self) -> &Tasks {
        &self.0.detached
    }
}

impl RouterState {
    pub fn entry(&self, name: &str) -> Option<Arc<CallRoute>> {
        self.answers.read().expect("no panic while held").get(name).map(|registered| registered.entry.clone())
    }

    /// What calls to a component that lives here meet.
    pub fn server_stack(&self, component: ComponentName) -> ServerStack {
        let simulated = self.simulated.get(&component).cloned();
        ServerStack::new(component, self.options.faults.clone(), simulated, self.options.copy.clone())
    }

    /// The policy of an edge, with every blank filled in.
    pub fn policy(&self, caller: ComponentName, callee: ComponentName) -> EffectivePolicy {
        policy::for_edge(&self.options.policies, caller.as_str(), callee.as_str()).effective()
    }

    /// Whether work of `callee` goes on when `caller` leaves.
    pub fn detaches(&self, caller: ComponentName, callee: ComponentName) -> bool {
        self.any_detach && self.policy(caller, callee).cancel == Cancellation::Detach
    }

    /// Whether questions about many are asked one by one, because a fault says so.
    fn is_chatty(&self, callee: ComponentName) -> bool {
        let faults = &self.options.faults;
        let chatty = !faults.is_empty() && faults.active_faults(clock::now_ns()).chatty.contains(&callee);
        if chatty {
            faults.count_hits("chatty", 1);
        }
        chatty
    }

    fn edge(&self, caller: ComponentName, callee: ComponentName) -> Arc<Edge> {
        let mut edges = self.edges.lock().expect("no panic while held");
        let make = || {
            let cluster = self.options.clusters.get(callee);
            Arc::new(Edge::new(caller, cluster, self.policy(caller, callee), self.options.faults.clone()))
        };
        edges.entry((caller, callee)).or_insert_with(make).clone()
    }

    fn handler<C: Call>(&self) -> Option<Arc<CallHandler<C>>> {
        let answers = self.answers.read().expect("no panic while held");
        answers.get(C::NAME)?.handler.downcast_ref::<Arc<CallHandler<C>>>().cloned()
    }

    fn client<C: Call>(&self, caller: ComponentName) -> Result<Arc<dyn Answer<C>>, Refusal> {
        let callee = callee::<C>();
        if !self.options.hosts.contains(&callee) {
            let target = CallTarget::of::<C>(self.options.carrier, &self.options.token, self.options.schema);
            return Ok(Arc::new(RemoteClient::<C>::new(self.edge(caller, callee), target)));
        }
        let handler = self.handler::<C>().ok_or_else(|| {
            Refusal::unavailable(
                "not_open",
                format!("`{callee}` lives here and does not answer `{}` yet", C::NAME),
            )
        })?;
        let deadline = self.policy(caller, callee).deadline;
        Ok(match self.options.carrier {
            Carrier::Wire => Arc::new(WireClient::new(caller, handler, deadline)),
            Carrier::Local | Carrier::Json | Carrier::Binary | Carrier::Http2Binary => {
                Arc::new(LocalClient::new(caller, handler, deadline))
            }
        })
    }
}

/// A way that is found when it is first needed.
struct LazyClient<C: Call> {
    router_state: Arc<RouterState>,
    caller: ComponentName,
    client: OnceLock<Arc<dyn Answer<C>>>,
}

impl<C: Call> Answer<C> for LazyClient<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        let client = match self.client.get() {
            Some(client) => client,
            None => match self.router_state.client::<C>(self.caller) {
                Ok(client) => self.client.get_or_init(|| client),
                Err(refusal) => return Box::pin(std::future::ready(Err(refusal))),
            },
        };
        if self.router_state.is_chatty(callee::<C>()) {
            return Box::pin(one_by_one(client, cx, call));
        }
        client.answer(cx, call)
    }
}

/// N+1: a question about many, asked item by item.
async fn one_by_one<C: Call>(
    client: &Arc<dyn Answer<C>>,
    cx: &CallContext,
    call: C,
) -> Result<C::Reply, Refusal> {
    let items = call.one_by_one();
    let mut replies = Vec::with_capacity(items.len());
    for (turn, item) in items.into_iter().enumerate() {
        // Each has dice of its own.
        let cx = CallContext { request: mix(cx.request ^ mix(turn as u64)), ..cx.clone() };
        replies.push(client.answer(&cx, item).await?);
    }
    match C::joined(replies) {
        Some(reply) => Ok(reply),
        None => client.answer(cx, call).await,
    }
}
