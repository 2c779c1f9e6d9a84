//! Two processes in one: a router of calls that asks, another that answers, and a
//! greeter whose behaviour a test can turn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use contract::{
    Answer, Call, CallContext, Carrier, ComponentName, Deadline, Pending, Principal, Refusal, Repeat,
};
use fault::{Fault, Lease, LeaseTable, Match};
use policy::{EdgePattern, Policy};
use runtime::{Tasks, clock};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use transport::serve::{self, Server};
use transport::{CallRouter, CallRouterOptions, Clusters, Instance, Network};

pub const HOST: ComponentName = ComponentName::of("host");
pub const GREETER: ComponentName = ComponentName::of("greeter");
pub const TOKEN: &str = "the test's own token";

/// A read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greet {
    pub name: String,
    pub times: u32,
}

impl Call for Greet {
    const NAME: &'static str = "greeter.greet";
    const COMPONENT: &'static str = "greeter";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Greeting;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greeting {
    pub text: String,
    pub called_by: String,
    pub principal: Option<Principal>,
    pub key: Option<String>,
    pub attempt: u8,
    pub request: u64,
}

/// A write that must not be repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sign {
    pub name: String,
}

impl Call for Sign {
    const NAME: &'static str = "greeter.sign";
    const COMPONENT: &'static str = "greeter";
    const REPEAT: Repeat = Repeat::Never;
    type Reply = u64;
}

/// Work that waits to be released.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ponder;

impl Call for Ponder {
    const NAME: &'static str = "greeter.ponder";
    const COMPONENT: &'static str = "greeter";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = ();
}

/// Answers, and counts.
#[derive(Default)]
pub struct Greeter {
    /// Calls that reached it.
    pub begun: AtomicU64,
    /// Calls it finished.
    pub done: AtomicU64,
    /// Refusals still to come before it answers.
    pub refusals: AtomicU32,
    /// Lets one pondering call finish.
    pub release: Notify,
}

impl Greeter {
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    pub fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn refuse(&self) -> bool {
        self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
    }
}

impl Answer<Greet> for Greeter {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: Greet) -> Pending<'a, Greeting> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            if self.refuse() {
                return Err(Refusal::unavailable("busy", "try again"));
            }
            if call.name.is_empty() {
                return Err(Refusal::bad_request("name_missing", "a greeting needs a name"));
            }
            let text = format!("hello {}! ", call.name).repeat(call.times as usize);
            self.done.fetch_add(1, Ordering::SeqCst);
            Ok(Greeting {
                text,
                called_by: cx.from.to_string(),
                principal: cx.principal,
                key: cx.key.as_deref().map(str::to_owned),
                attempt: cx.attempt,
                request: cx.request,
            })
        })
    }
}

impl Answer<Sign> for Greeter {
    fn answer<'a>(&'a self, _: &'a CallContext, _: Sign) -> Pending<'a, u64> {
        Box::pin(async move {
            let before = self.begun.fetch_add(1, Ordering::SeqCst);
            if self.refuse() {
                return Err(Refusal::unavailable("busy", "try again"));
            }
            self.done.fetch_add(1, Ordering::SeqCst);
            Ok(before)
        })
    }
}

impl Answer<Ponder> for Greeter {
    fn answer<'a>(&'a self, _: &'a CallContext, _: Ponder) -> Pending<'a, ()> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.release.notified().await;
            self.done.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// A side that asks and a side that answers, one process or two.
pub struct Pair {
    pub here: CallRouter,
    pub there: CallRouter,
    /// Faults on the asking side: those of edges.
    pub edge_faults: Arc<LeaseTable>,
    /// Faults on the answering side: those of components.
    pub component_faults: Arc<LeaseTable>,
    pub greeter: Arc<Greeter>,
    pub clusters: Clusters,
    pub server: Option<Server>,
    pub tasks: Tasks,
}

/// How the answering side is served. Its drain is that of a process: a call that has picked it just before gets through, also where
/// a busy machine stands still in between.
pub fn options(carrier: Carrier) -> serve::Options {
    let http2 = (carrier == Carrier::Http2Binary).then(serve::StreamLimits::default);
    serve::Options { http2, ..serve::Options::default() }
}

/// A policy as a scenario writes it, for every edge.
pub fn everywhere(toml: &str) -> Vec<(EdgePattern, Policy)> {
    vec![("*->*".parse().expect("a pattern"), toml::from_str(toml).unwrap_or_else(|why| panic!("{why}")))]
}

impl Pair {
    pub async fn start(carrier: Carrier) -> Self {
        Self::with(carrier, "").await
    }

    pub async fn with(carrier: Carrier, policy: &str) -> Self {
        Self::shaped(carrier, policy, "").await
    }

    /// The same, with a greeter of this shape: `[service.greeter]` of a scenario.
    pub async fn shaped(carrier: Carrier, policy: &str, service: &str) -> Self {
        Self::made(carrier, policy, service, Clusters::new()).await
    }

    /// The same, with a network between the two processes.
    pub async fn across(carrier: Carrier, network: Network) -> Self {
        Self::made(carrier, "", "", Clusters::across(network)).await
    }

    /// The same, with clusters that are made already.
    pub async fn made(carrier: Carrier, policy: &str, service: &str, clusters: Clusters) -> Self {
        let service: policy::ServiceOptions = toml::from_str(service).unwrap_or_else(|why| panic!("{why}"));
        let tasks = Tasks::new();
        let (edge_faults, component_faults) = (Arc::new(LeaseTable::new()), Arc::new(LeaseTable::new()));
        let greeter = Arc::new(Greeter::default());
        let board = |faults: &Arc<LeaseTable>, hosts: Vec<ComponentName>| {
            CallRouter::new(CallRouterOptions {
                carrier,
                clusters: clusters.clone(),
                services: [(GREETER.to_string(), service.clone())].into(),
                copy: "test#0".into(),
                schema: 1,
                policies: everywhere(policy),
                faults: faults.clone(),
                token: TOKEN.into(),
                hosts,
                seed: 42,
            })
        };
        let there = board(&component_faults, vec![GREETER]);
        there.answer::<Greet>(greeter.clone());
        there.answer::<Sign>(greeter.clone());
        there.answer::<Ponder>(greeter.clone());
        let remote = !matches!(carrier, Carrier::Local | Carrier::Wire);
        let here = if remote { board(&edge_faults, vec![HOST]) } else { there.clone() };
        let mut server = None;
        if remote {
            let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("loopback has a free port");
            let serving = serve::serve(&tasks, listener, there.router(), options(carrier));
            clusters.get(GREETER).update(vec![Instance::new("greeter#0", serving.addr())]);
            server = Some(serving);
        }
        Self { here, there, edge_faults, component_faults, greeter, clusters, server, tasks }
    }

    pub fn ask<C: Call>(&self) -> Arc<dyn Answer<C>> {
        self.here.ask::<C>(HOST)
    }

    pub async fn greet(&self, cx: &CallContext) -> Result<Greeting, Refusal> {
        self.ask::<Greet>().answer(cx, Greet { name: "ada".into(), times: 1 }).await
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.tasks.close();
    }
}

/// A request with this much time, for which no other component answers.
pub fn within(budget: Duration) -> CallContext {
    CallContext::background(ComponentName::CLIENT, Deadline::after(clock::now(), budget))
}

/// More than any test should take.
pub fn patient() -> CallContext {
    within(Duration::from_secs(20))
}

pub fn lease(target: &str, fault: &str, matching: Match) -> Lease {
    Lease {
        id: "test".into(),
        order: 0,
        fault: toml::from_str::<Fault>(fault).expect("a fault"),
        target: target.parse().expect("a target"),
        matching,
        copies: Vec::new(),
        detours: Vec::new(),
        ramp_ms: 0,
        seed: 42,
    }
}

pub fn put(table: &LeaseTable, lease: Lease) {
    table.put(lease, Duration::from_secs(30), clock::now_ns()).expect("room");
}

/// A port that is taken, so that no other process gets it, and refuses every connection.
pub fn dead_port() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket()).expect("bound");
    (socket, addr)
}

/// Longer than any condition takes on a busy machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition; [`PATIENCE`] without it is a failure.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
