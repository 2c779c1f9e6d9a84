//! A registry that can be killed, and what lives around it.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::ComponentName;
use discovery::registry_state::Rules;
use discovery::{
    Epoch, Instance, InstanceId, LogOptions, Options, Registrar, Registration, Registry, ServiceName, Watch,
    Watcher,
};
use runtime::{Tasks, clock};
use tokio::net::TcpSocket;
use transport::cluster::Clusters;

pub const PHOTO: ComponentName = ComponentName::of("photo");
pub const FEED: ComponentName = ComponentName::of("feed");
pub const TOKEN_HEADER: &str = "the-run's-token";
/// A third of the real one, so that tests see leases end, and a busy machine that stands still for half a second ends none.
pub const LEASE: Duration = Duration::from_millis(1_000);
/// Where what is registered is kept in a file: its tests look at the file, and kill the registry, before a lease ends.
const KEPT_LEASE: Duration = Duration::from_millis(3_000);
/// Waiting longer than this for anything is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A registry in a runtime of its own; dropping that kills tasks and sockets
/// between two instructions, as SIGKILL would.
pub struct TestRegistry {
    pub addr: SocketAddr,
    pub registry: Registry,
    runtime: Option<tokio::runtime::Runtime>,
    _tasks: Tasks,
}

impl TestRegistry {
    pub fn begin() -> Self {
        Self::begin_at(([127, 0, 0, 1], 0).into())
    }

    pub fn begin_at(addr: SocketAddr) -> Self {
        Self::begin_with(addr, None)
    }

    /// One that keeps what is registered in a file, or in none.
    pub fn begin_with(addr: SocketAddr, log: Option<&Path>) -> Self {
        Self::begin_awaited(addr, log, Duration::ZERO)
    }

    /// One to which the watchers of the process before it may take so long to come back.
    pub fn begin_awaited(addr: SocketAddr, log: Option<&Path>, rejoin: Duration) -> Self {
        let lease_ns = if log.is_some() { KEPT_LEASE } else { LEASE }.as_nanos() as u64;
        let rules = Rules {
            lease_ns,
            grace_ns: 3 * lease_ns,
            rejoin_ns: rejoin.as_nanos() as u64,
            ..Rules::default()
        };
        let options = Options {
            rules,
            log: log.map(LogOptions::at),
            sweep_interval: LEASE / 30,
            heartbeat_interval: LEASE / 3,
            ..Options::new(Arc::from(TOKEN_HEADER))
        };
        let listener = TcpListener::bind(reserved(addr)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let addr = listener.local_addr().expect("bound");
        let registry = Registry::open(options).expect("a folder of ours");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let tasks = Tasks::new();
        {
            let _inside = runtime.enter();
            registry.start(&tasks);
            let listener = tokio::net::TcpListener::from_std(listener).expect("registers");
            transport::serve::serve(
                &tasks,
                listener,
                registry.router(),
                transport::serve::Options::default(),
            );
        }
        Self { addr, registry, runtime: Some(runtime), _tasks: tasks }
    }

    /// Ends it at once. Its port is free again when this returns.
    pub fn kill(mut self) {
        let runtime = self.runtime.take().expect("alive");
        // A runtime waits for its threads only outside of every other one.
        let ended = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(10)));
        ended.join().expect("no panic while it ends");
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A port that stays this test's between two lives of a registry: no other process gets it, and no client's own end, as long
/// as a socket is bound to it that does not listen.
fn reserved(addr: SocketAddr) -> SocketAddr {
    static RESERVED: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    if addr.port() != 0 {
        return addr;
    }
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("a socket option");
    socket.bind(addr).expect("a free port");
    let addr = socket.local_addr().expect("bound");
    RESERVED.lock().expect("no panic while held").push(socket);
    addr
}

pub fn instance(service: ComponentName, id: &str, epoch: u64, port: u16) -> Instance {
    let id = InstanceId::new(id).expect("plain");
    Instance::new(service.into(), id, Epoch(epoch), ([127, 0, 0, 1], port).into())
}

/// Announces one photo service that will never be connected to.
pub fn announce(tasks: &Tasks, registry: SocketAddr, id: &str, port: u16) -> Registrar {
    Registrar::start(tasks, registration(registry, id, port))
}

pub fn registration(registry: SocketAddr, id: &str, port: u16) -> Registration {
    let mut registration = Registration::new(
        registry,
        Arc::from(TOKEN_HEADER),
        [ServiceName::from(PHOTO)],
        InstanceId::new(id).expect("plain"),
        Epoch(1),
        ([127, 0, 0, 1], port).into(),
    );
    registration.renew_interval = LEASE / 3;
    registration
}

pub fn watch_services(tasks: &Tasks, registry: SocketAddr) -> (Watcher, Clusters) {
    let clusters = Clusters::new();
    let watch = Watch { idle_timeout: LEASE, ..Watch::new(registry, vec![PHOTO, FEED]) };
    (Watcher::start(tasks, watch, clusters.clone()), clusters)
}

/// Ids of the endpoints a cluster would pick from.
pub fn ids(clusters: &Clusters, component: ComponentName) -> Vec<String> {
    let mut ids: Vec<_> =
        clusters.get(component).endpoints().iter().map(|endpoint| endpoint.instance.id.to_string()).collect();
    ids.sort();
    ids
}

/// Waits for a condition.
pub async fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    wait_and_watch(what, holds).await;
}

/// Waits for a condition, and returns the longest time between two looks: for as long this thread stood still, and with it
/// whatever else is done on it.
pub async fn wait_and_watch(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let waiting = async {
        let (mut longest, mut last) = (Duration::ZERO, clock::now());
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let now = clock::now();
            longest = longest.max(now - last);
            last = now;
        }
        longest
    };
    with_timeout(what, waiting).await
}

pub async fn with_timeout<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
