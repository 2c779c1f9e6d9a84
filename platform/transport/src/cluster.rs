//! The copies of a component, and the one to ask.

mod in_flight;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use contract::ComponentName;
use contract::hash::{fnv1a64, mix};
use http::HeaderValue;
use http::uri::Authority;
use policy::balance::{drawn_weight, median_ns};
use policy::{EndpointLoad, Picker, outlier};
use runtime::{clock, random};
use telemetry::PoolMetrics;
use tokio::sync::watch;

pub(crate) use self::in_flight::InFlight;
use crate::http2::channel::Channel;
use crate::network::Network;
use crate::pool::{self, Detours, Pool};

/// State of an instance, as it or the registry reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Not yet: never asked.
    Starting,
    /// Asked.
    #[default]
    Ready,
    /// On its way out: asked only where no other instance is.
    Draining,
    /// Its lease lapsed, or it is known from a file only: asked where no instance is ready.
    Suspect,
}

impl State {
    const ALL: [Self; 4] = [Self::Starting, Self::Ready, Self::Draining, Self::Suspect];
}

/// One running copy, as the registry lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// `photo#0`.
    pub id: String,
    /// Start time of its process; a higher one supersedes.
    pub epoch: u64,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where it stands.
    pub zone: String,
    /// What it runs.
    pub version: String,
    /// Its share of requests, relative to its peers.
    pub weight: u32,
    /// Whether it is asked, when it was listed. [`Endpoint::state`] says what holds now.
    pub state: State,
}

impl Instance {
    /// A ready instance of no particular zone or version.
    pub fn new(id: impl Into<String>, addr: SocketAddr) -> Self {
        Self {
            id: id.into(),
            epoch: 0,
            addr,
            zone: String::new(),
            version: String::new(),
            weight: 1,
            state: State::Ready,
        }
    }

    /// Two listings of one life of one instance share their endpoint.
    fn key(&self) -> (&str, u64, SocketAddr) {
        (&self.id, self.epoch, self.addr)
    }
}

/// An instance, with what was learned about it. Survives updates of the list.
#[derive(Debug)]
pub struct Endpoint {
    /// As it was first listed.
    pub instance: Instance,
    /// Latency, failures and requests in flight.
    pub load: EndpointLoad,
    /// Connections to it, each for one request at a time.
    pub pool: Pool,
    /// Connections to it that calls share.
    pub channel: Channel,
    /// What lies between.
    pub(crate) network: Network,
    state: AtomicU8,
    host: HeaderValue,
    authority: Authority,
    /// The cluster's list, to judge its failures among its peers.
    peers: Weak<ArcSwap<EndpointLists>>,
}

impl Endpoint {
    /// Whether it is asked.
    pub fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Ordering::Relaxed))]
    }

    /// Its `Host`.
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The same, as HTTP/2 has it.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A request begins, or has at `began`.
    pub(crate) fn begin_request(self: &Arc<Self>, began: Instant) -> InFlight {
        self.load.begin();
        InFlight { endpoint: self.clone(), started_ns: clock::ns_at(began), measured: true }
    }

    /// A request begins that waits on purpose, such as a long poll: its
    /// duration teaches nothing about the endpoint, only its failure does.
    pub(crate) fn begin_unmeasured(self: &Arc<Self>) -> InFlight {
        InFlight { endpoint: self.clone(), started_ns: clock::now_ns(), measured: false }
    }

    fn failed(&self, now_ns: u64, took_ns: u64, retry_after: Option<Duration>, refused: bool) {
        self.load.failed(now_ns, took_ns, retry_after.map(|wait| wait.as_nanos() as u64));
        let Some(peers) = self.peers.upgrade() else { return };
        let all = &peers.load().all;
        let ejected = all.iter().filter(|peer| peer.load.is_ejected(now_ns)).count();
        if let Some(until_ns) = outlier::ejected_until_ns(&self.load, refused, ejected, all.len(), now_ns) {
            self.load.eject(now_ns, until_ns);
            let out_ms = (until_ns - now_ns) / 1_000_000;
            tracing::warn!(instance = %self.instance.id, out_ms, "failing; left alone for a while");
        }
    }
}

#[derive(Debug, Default)]
struct EndpointLists {
    all: Arc<Vec<Arc<Endpoint>>>,
    /// The ready ones; the suspects where none is ready, the draining ones after them.
    eligible: Vec<Arc<Endpoint>>,
}

/// How the copies of all components are reached from here.
#[derive(Clone, Debug, Default)]
struct Paths {
    detours: Arc<Detours>,
    network: Network,
}

/// The copies of one component, kept up to date by a watch of the registry.
#[derive(Debug)]
pub struct Cluster {
    name: ComponentName,
    options: pool::Options,
    paths: Paths,
    lists: Arc<ArcSwap<EndpointLists>>,
    picker: Picker,
    changes: watch::Sender<u64>,
    updating: Mutex<()>,
}

impl Cluster {
    /// A cluster without endpoints.
    pub fn new(name: ComponentName, options: pool::Options) -> Self {
        Self::reached_by(name, options, Paths::default())
    }

    fn reached_by(name: ComponentName, options: pool::Options, paths: Paths) -> Self {
        let (lists, picker, updating) = Default::default();
        Self { name, options, paths, lists, picker, changes: watch::Sender::new(0), updating }
    }

    /// Whose copies these are.
    pub fn name(&self) -> ComponentName {
        self.name
    }

    /// All endpoints, whatever their state.
    pub fn endpoints(&self) -> Arc<Vec<Arc<Endpoint>>> {
        self.lists.load().all.clone()
    }

    /// Notified after every update.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Replaces the list. What is known of an instance stays with it: figures
    /// and connections outlive the update.
    pub fn update(&self, instances: Vec<Instance>) {
        let _one_at_a_time = self.updating.lock().expect("no panic while held");
        let before = self.endpoints();
        let known: HashMap<_, _> =
            before.iter().map(|endpoint| (endpoint.instance.key(), endpoint)).collect();
        let now_ns = clock::now_ns();
        let median = median_ns(before.iter().map(|endpoint| &endpoint.load), now_ns);
        let all: Vec<_> = instances
            .into_iter()
            .map(|instance| match known.get(&instance.key()) {
                Some(endpoint) => {
                    // Its lease is renewed: it is as well as one that was left out meanwhile, and joins anew.
                    if (endpoint.state(), instance.state) == (State::Suspect, State::Ready) {
                        endpoint.load.readmit(now_ns);
                    }
                    endpoint.state.store(instance.state as u8, Ordering::Relaxed);
                    Arc::clone(endpoint)
                }
                None => {
                    // The first of a cluster has nothing to ramp up against.
                    let alone = before.is_empty();
                    let load = if alone { EndpointLoad::first() } else { EndpointLoad::new(now_ns, median) };
                    Arc::new(self.endpoint(instance, load))
                }
            })
            .collect();
        let in_state = |state| all.iter().filter(move |e| e.state() == state).cloned().collect::<Vec<_>>();
        let eligible = [State::Ready, State::Suspect, State::Draining]
            .into_iter()
            .map(in_state)
            .find(|list| !list.is_empty())
            .unwrap_or_default();
        for leaving in before
            .iter()
            .filter(|old| old.state() == State::Draining || !all.iter().any(|e| Arc::ptr_eq(e, old)))
        {
            leaving.pool.close_idle();
            leaving.channel.close_idle();
        }
        self.lists.store(Arc::new(EndpointLists { all: Arc::new(all), eligible }));
        self.changes.send_modify(|revision| *revision += 1);
    }

    fn endpoint(&self, instance: Instance, load: EndpointLoad) -> Endpoint {
        let addr = instance.addr;
        let host = HeaderValue::from_str(&addr.to_string()).expect("an address is a header value");
        let authority = addr.to_string().parse().expect("an address is an authority");
        let Paths { detours, network } = self.paths.clone();
        let metrics = PoolMetrics::of(self.name);
        let pool = Pool::new(addr, self.options, metrics.clone(), detours.clone(), network.clone());
        let channel = Channel::new(addr, self.options, metrics, detours, network.clone());
        let (state, peers) = (AtomicU8::new(instance.state as u8), Arc::downgrade(&self.lists));
        // A copy that has started anew keeps the keys it had.
        let load = load.placed(mix(fnv1a64(instance.id.as_bytes())) as u32);
        Endpoint { instance, load, pool, channel, network, state, host, authority, peers }
    }

    /// The endpoint to ask. `avoid` was asked before and is asked again only
    /// where there is no other.
    pub fn pick(&self, avoid: Option<&Arc<Endpoint>>) -> Option<Arc<Endpoint>> {
        self.pick_by(&self.picker, avoid, random::bits)
    }

    /// The same, by another rule than the cluster's own, with the bits that it asks for.
    pub fn pick_by(
        &self,
        picker: &Picker,
        avoid: Option<&Arc<Endpoint>>,
        bits: impl FnOnce() -> u64,
    ) -> Option<Arc<Endpoint>> {
        let lists = self.lists.load();
        let eligible = &lists.eligible;
        if let [only] = eligible.as_slice() {
            return Some(only.clone());
        }
        if eligible.iter().any(|endpoint| endpoint.instance.weight != eligible[0].instance.weight) {
            let class = self.draw_weight_class(eligible, avoid);
            return Self::pick_among(&class, picker, avoid, bits);
        }
        Self::pick_among(eligible, picker, avoid, bits)
    }

    /// The copies of one weight, drawn by the weight of all of them: a canary gets its
    /// share of requests however fast it is. An endpoint that failed before is drawn last.
    fn draw_weight_class(
        &self,
        eligible: &[Arc<Endpoint>],
        avoid: Option<&Arc<Endpoint>>,
    ) -> Vec<Arc<Endpoint>> {
        let others: Vec<_> = eligible
            .iter()
            .filter(|endpoint| avoid.is_none_or(|avoid| !Arc::ptr_eq(endpoint, avoid)))
            .collect();
        let weight = drawn_weight(others.iter().map(|endpoint| endpoint.instance.weight), random::bits());
        others.into_iter().filter(|endpoint| Some(endpoint.instance.weight) == weight).cloned().collect()
    }

    fn pick_among(
        eligible: &[Arc<Endpoint>],
        picker: &Picker,
        avoid: Option<&Arc<Endpoint>>,
        bits: impl FnOnce() -> u64,
    ) -> Option<Arc<Endpoint>> {
        if let [only] = eligible {
            return Some(only.clone());
        }
        let avoid = avoid.and_then(|avoid| eligible.iter().position(|endpoint| Arc::ptr_eq(endpoint, avoid)));
        let index = picker.pick(eligible, |endpoint| &endpoint.load, clock::now_ns(), bits(), avoid)?;
        eligible.get(index).cloned()
    }
}

/// All clusters a process knows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clusters(Arc<ClustersInner>);

#[derive(Debug, Default)]
struct ClustersInner {
    options: pool::Options,
    paths: Paths,
    clusters: Mutex<HashMap<ComponentName, Arc<Cluster>>>,
}

impl Clusters {
    /// No clusters, with pools of the usual size.
    pub fn new() -> Self {
        Self::default()
    }

    /// No clusters, with pools of these limits.
    pub fn with(options: pool::Options) -> Self {
        Self(Arc::new(ClustersInner { options, ..ClustersInner::default() }))
    }

    /// No clusters yet, each of which will be reached over a network.
    pub fn across(network: Network) -> Self {
        let paths = Paths { network, ..Paths::default() };
        Self(Arc::new(ClustersInner { paths, ..ClustersInner::default() }))
    }

    /// The cluster of a component; an empty one if nothing is known of it yet.
    pub fn get(&self, name: ComponentName) -> Arc<Cluster> {
        let mut clusters = self.0.clusters.lock().expect("no panic while held");
        let make = || Arc::new(Cluster::reached_by(name, self.0.options, self.0.paths.clone()));
        clusters.entry(name).or_insert_with(make).clone()
    }

    /// Addresses to be reached through a proxy from now on; all others directly.
    pub fn set_detours(&self, detours: Vec<(SocketAddr, SocketAddr)>) {
        self.0.paths.detours.set(detours);
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Arc<Cluster>> {
        let clusters = self.0.clusters.lock().expect("no panic while held");
        let mut all: Vec<_> = clusters.values().cloned().collect();
        all.sort_by_key(|cluster| cluster.name);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: &str, port: u16, state: State) -> Instance {
        Instance { state, ..Instance::new(id, ([127, 0, 0, 1], port).into()) }
    }

    fn cluster() -> Cluster {
        Cluster::new(ComponentName::of("photo"), pool::Options::default())
    }

    fn eligible(cluster: &Cluster) -> Vec<String> {
        cluster.lists.load().eligible.iter().map(|endpoint| endpoint.instance.id.clone()).collect()
    }

    #[test]
    fn an_endpoint_outlives_updates_and_not_its_process() {
        let cluster = cluster();
        cluster.update(vec![at("a", 1, State::Ready)]);
        let first = cluster.endpoints()[0].clone();
        cluster.update(vec![at("a", 1, State::Draining), at("b", 2, State::Ready)]);
        assert!(Arc::ptr_eq(&first, &cluster.endpoints()[0]));
        assert_eq!(first.state(), State::Draining);
        cluster.update(vec![Instance { epoch: 1, ..at("a", 1, State::Ready) }]);
        assert!(!Arc::ptr_eq(&first, &cluster.endpoints()[0]), "a later life is another endpoint");
    }

    #[test]
    fn an_ejected_endpoint_is_back_when_its_lease_is_renewed_and_not_by_any_other_news() {
        let cluster = cluster();
        let list = |state| vec![at("a", 1, state), at("b", 2, State::Ready)];
        cluster.update(list(State::Ready));
        let endpoint = cluster.endpoints()[0].clone();
        let is_out = || endpoint.load.is_ejected(clock::now_ns());
        // For longer than any test takes.
        endpoint.load.eject(clock::now_ns(), u64::MAX);
        cluster.update(list(State::Ready));
        assert!(is_out());
        cluster.update(list(State::Suspect));
        assert!(is_out());
        cluster.update(list(State::Ready));
        assert!(!is_out());
    }

    #[test]
    fn the_ready_are_asked_then_the_suspects_then_the_draining() {
        let cluster = cluster();
        let (ready, suspect) = (at("r", 1, State::Ready), at("s", 2, State::Suspect));
        let (draining, starting) = (at("d", 3, State::Draining), at("n", 4, State::Starting));
        cluster.update(vec![starting.clone(), draining.clone(), suspect.clone(), ready]);
        assert_eq!(eligible(&cluster), ["r"]);
        cluster.update(vec![starting.clone(), draining.clone(), suspect]);
        assert_eq!(eligible(&cluster), ["s"]);
        cluster.update(vec![starting.clone(), draining]);
        assert_eq!(eligible(&cluster), ["d"]);
        cluster.update(vec![starting]);
        assert!(cluster.pick(None).is_none());
    }

    #[test]
    fn a_canary_gets_its_share_of_requests() {
        let cluster = cluster();
        let weighing = |id: &str, port, weight| Instance { weight, ..at(id, port, State::Ready) };
        cluster.update(vec![weighing("a", 1, 900), weighing("b", 2, 900), weighing("canary", 3, 200)]);
        let picks = 5_000;
        let canary = (0..picks)
            .filter(|_| cluster.pick(None).expect("three are there").instance.id == "canary")
            .count();
        // 200 of 2,000 is a tenth; the standard error of 5,000 draws is 0.4 %.
        assert!((400..600).contains(&canary), "{canary} of {picks}");
        let failed = cluster.endpoints()[2].clone();
        assert!((0..50).all(|_| cluster.pick(Some(&failed)).expect("two are left").instance.id != "canary"));
    }

    #[test]
    fn a_change_is_announced() {
        let cluster = cluster();
        let mut changed = cluster.changed();
        assert!(!changed.has_changed().expect("the cluster lives"));
        cluster.update(Vec::new());
        assert!(changed.has_changed().expect("the cluster lives"));
        changed.mark_unchanged();
    }
}
