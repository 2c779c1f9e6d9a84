//! Proxies between the processes of an arm and its servers: for connections on which steps act, and for all where a network is
//! declared. They are there from the arm's start on, so that no phase is faster than another without them; where there is
//! nothing to do they are not. They run in the lab, whose CPU is no arm's.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::broker::BrokerAddress;
use contract::{ComponentName, ProcessPlan};
use fault::target::EVENTS;
use fault::{ConnectionFault, DelayCounts, Pattern, Target};

use super::ArmServers;
#[cfg(feature = "postgres")]
use super::stores_by_server;
use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::environment::RunEnvironment;
use crate::arm::proxy::{Line, Proxy, Upstream};
use crate::arm::server_error::ServerError;
use crate::arm::server_product::ServerProduct;

/// A proxy between processes and a server.
pub struct ServerProxy {
    /// Components whose connections go through it.
    callers: Vec<ComponentName>,
    /// Components whose data the server keeps; `events` of the broker.
    holds: Vec<ComponentName>,
    proxy: Proxy,
}

impl ServerProxy {
    /// Adds what a step does.
    pub(crate) fn add_fault(&self, step: u32, fault: ConnectionFault) {
        self.proxy.add_fault(step, fault);
    }

    /// Takes it away.
    pub(crate) fn remove_fault(&self, step: u32) {
        self.proxy.remove_fault(step);
    }

    /// Connections and pieces of data that went through, or were to.
    pub(crate) fn transfers(&self) -> u64 {
        self.proxy.transfers()
    }

    fn has(&self, caller: Pattern, server: ComponentName) -> bool {
        is_meant(caller, &self.callers) && self.holds.contains(&server)
    }
}

fn is_meant(caller: Pattern, components: &[ComponentName]) -> bool {
    components.iter().any(|component| caller.matches(*component))
}

/// Whether the connections of some components to a server go through a proxy.
fn is_proxied(plan: &ArmPlan, callers: &[ComponentName], holds: &[ComponentName]) -> bool {
    let is_faulted = |target: &Target| match target {
        Target::Connection { caller, server } => is_meant(*caller, callers) && holds.contains(server),
        _ => false,
    };
    !plan.config.network.is_loopback() || plan.access.faulted.iter().any(is_faulted)
}

fn line(plan: &ArmPlan) -> Line {
    Line { network: plan.config.network, resends: true }
}

fn not_listening(plan: &ArmPlan, product: ServerProduct, source: std::io::Error) -> ArmError {
    ServerError::Proxy { arm: plan.name.clone(), product, source }.into()
}

impl ArmServers {
    /// Puts the proxies that an arm needs before its servers, and their addresses where its processes look for servers.
    ///
    /// # Errors
    /// When one cannot listen.
    pub(in crate::arm) async fn open_proxies(
        &mut self,
        environment: &RunEnvironment,
        plan: &mut ArmPlan,
    ) -> Result<(), ArmError> {
        #[cfg(feature = "postgres")]
        self.open_to_databases(environment, plan)?;
        self.open_to_broker(environment, plan).await
    }

    /// One for each database: its name is that of a folder with a socket.
    #[cfg(feature = "postgres")]
    fn open_to_databases(
        &mut self,
        environment: &RunEnvironment,
        plan: &mut ArmPlan,
    ) -> Result<(), ArmError> {
        use node::databases::ServerDatabase;
        use storage::postgres::{ServerEndpoint, socket_in};

        use crate::process::private;

        let product = ServerProduct::Postgres;
        for stores in stores_by_server(&plan.processes, &plan.placement) {
            let holds: Vec<ComponentName> = stores.iter().flat_map(|store| store.hosts.clone()).collect();
            for store in stores {
                let database =
                    self.databases.get(&store.name).filter(|_| is_proxied(plan, &store.hosts, &holds));
                let Some(database) = database else { continue };
                let refused = |source| ServerError::Refused { arm: plan.name.clone(), product, source };
                let address = database.address("").map_err(|why| refused(why.into()))?;
                let upstream = match address.endpoint() {
                    ServerEndpoint::Socket(path) => Upstream::Socket(path),
                    ServerEndpoint::Port(host, port) => Upstream::Host(host, port),
                };
                // Names of sockets are short.
                let folder = plan.folder.join(format!("proxy-{}", self.proxies.len()));
                let failed = |source| not_listening(plan, product, source);
                private::create_folder(&folder).map_err(failed)?;
                let socket = socket_in(&folder, address.port());
                let proxy =
                    Proxy::on_socket(&environment.tasks, &socket, upstream, line(plan)).map_err(failed)?;
                let through = ServerDatabase {
                    address: address.pairs_through(&folder),
                    schema: database.schema.clone(),
                };
                plan.config.postgres.insert(store.name, through);
                let (callers, holds) = (store.hosts, holds.clone());
                self.proxies.push(Arc::new(ServerProxy { callers, holds, proxy }));
            }
        }
        Ok(())
    }

    /// One for each process with components.
    async fn open_to_broker(
        &mut self,
        environment: &RunEnvironment,
        plan: &mut ArmPlan,
    ) -> Result<(), ArmError> {
        let Some(broker) = self.broker.clone() else { return Ok(()) };
        let proxied = |process: &&ProcessPlan| is_proxied(plan, &process.hosts, &[EVENTS]);
        let processes: Vec<ProcessPlan> = plan.processes.iter().filter(proxied).cloned().collect();
        for process in processes.into_iter().filter(|process| !process.hosts.is_empty()) {
            let upstream = Upstream::Host(broker.host().to_owned(), broker.port());
            let opened = Proxy::on_port(&environment.tasks, upstream, line(plan)).await;
            let (addr, proxy) = opened.map_err(|source| not_listening(plan, ServerProduct::Nats, source))?;
            plan.access.brokers.insert(process.name, BrokerAddress::loopback(addr.port()));
            self.proxies.push(Arc::new(ServerProxy { callers: process.hosts, holds: vec![EVENTS], proxy }));
        }
        Ok(())
    }

    /// The proxies on the connections of a component to a server.
    pub(crate) fn proxies(
        &self,
        caller: Pattern,
        server: ComponentName,
    ) -> impl Iterator<Item = Arc<ServerProxy>> {
        self.proxies.iter().filter(move |proxy| proxy.has(caller, server)).cloned()
    }

    /// What delays of connections asked for and how late they came, by step; those of the declared network by
    /// [`model::delays::OF_NETWORK`].
    pub(crate) fn delays(&self) -> BTreeMap<u32, DelayCounts> {
        let mut sum: BTreeMap<u32, DelayCounts> = BTreeMap::new();
        for (of, delays) in self.proxies.iter().flat_map(|proxy| proxy.proxy.delays()) {
            sum.entry(of).or_default().merge(&delays);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::run::plan::{PlannedArm, RunPlan};

    const BROKER: &str = "events = \"nats\"\n";

    /// The plan of an arm `far` on five processes, with what its topology and its file say besides.
    fn planned(topology: &str, more: &str) -> ArmPlan {
        let topology = format!("[topology.far]\nprocesses = {{ each = [\"*\"] }}\n{topology}");
        let options = fixture::options(&fixture::two_arms(&format!("{topology}{more}")));
        let secrets = fixture::secrets();
        let folder = std::path::Path::new("/runs/r1");
        let plan = RunPlan { options: &options, id: "r1", folder, secrets: &secrets, otlp: None };
        let arms: Vec<PlannedArm> = plan.arms(&[]).expect("arms");
        arms.into_iter().map(|arm| arm.plan).find(|plan| plan.name == "far").expect("one of three")
    }

    fn step(on: &str) -> String {
        format!(
            "[[step]]\nin = \"steady\"\ndo = \"delay\"\nby = \"5ms\"\non = \"{on}\"\nat = \"+1s\"\nfor = \"1s\"\n"
        )
    }

    /// The processes that get a proxy before their broker.
    async fn brokers(plan: &mut ArmPlan) -> (Vec<String>, ArmServers) {
        let (record, folder) = fixture::record();
        let (_, environment) = fixture::prepared_arms(&fixture::two_arms(""), folder.path(), record);
        let mut servers = ArmServers { broker: Some(BrokerAddress::loopback(4300)), ..ArmServers::default() };
        servers.open_proxies(&environment, plan).await.expect("ports");
        environment.tasks.finish(std::time::Duration::from_secs(1)).await;
        (plan.access.brokers.keys().cloned().collect(), servers)
    }

    #[tokio::test]
    async fn only_connections_on_which_a_step_acts_go_through_a_proxy() {
        let (none, servers) = brokers(&mut planned(BROKER, &step("feed"))).await;
        assert_eq!((none.len(), servers.proxies.len()), (0, 0), "a fault of calls");
        let (feeds, servers) = brokers(&mut planned(BROKER, &step("feed->server:events"))).await;
        assert_eq!(feeds, ["feed"]);
        let of = |caller: &str, server: &str| {
            servers.proxies(caller.parse().expect("a pattern"), ComponentName::intern(server)).count()
        };
        assert_eq!((of("feed", "events"), of("*", "events")), (1, 1));
        assert_eq!((of("photo", "events"), of("feed", "feed")), (0, 0));
        let (all, _) = brokers(&mut planned(BROKER, &step("*->server:events"))).await;
        assert_eq!(all.len(), 5, "the gateway and the registry have nothing to do with it: {all:?}");
    }

    #[tokio::test]
    async fn all_connections_cross_a_declared_network() {
        let (all, _) = brokers(&mut planned(BROKER, "[network]\nrtt = \"300us\"\n")).await;
        assert_eq!(all.len(), 5);
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn a_database_is_reached_over_the_network_and_again_after_a_cut() {
        use std::time::Duration;

        use policy::NetworkOptions;
        use policy::units::{ByteSize, HumanDuration};
        use runtime::clock;
        use storage::{Database, Options, StorageError, query};

        const RTT: HumanDuration = HumanDuration::from_millis(40);
        /// By so much a wait may end early, as half of them do.
        const EARLY: Duration = Duration::from_millis(1);

        if let Err(why) = crate::arm::servers::availability(ServerProduct::Postgres) {
            return eprintln!("skipped: {why}");
        }
        let served = "[topology.served]\nprocesses = { app = [\"gateway\", \"*\"] }\nstore = \"postgres\"\n";
        let (record, folder) = fixture::record();
        record.append(record::Entry::Header(Box::default()));
        let text = fixture::two_arms(served);
        let (arms, environment) = fixture::prepared_arms(&text, folder.path(), record);
        let mut plan = arms.last().expect("the served one").plan.clone();
        plan.config.network = NetworkOptions { rtt: RTT, ..NetworkOptions::default() };
        let (mut servers, _) = ArmServers::start(&environment, &plan).await.expect("it starts");
        plan.config.postgres.clone_from(servers.databases());
        servers.open_proxies(&environment, &mut plan).await.expect("a socket");
        let (direct, through) = (&servers.databases()["app"], &plan.config.postgres["app"]);
        assert_ne!(direct.address, through.address);

        let db = Database::open(plan.config.location("app").expect("an address"), Options::default())
            .await
            .expect("it is there");
        let count = async || {
            let mut read = db.read().await?;
            query("SELECT", "t", "SELECT CAST(1 AS BIGINT)").one::<i64>(&mut read).await
        };
        assert_eq!(count().await.expect("it answers"), 1);
        let began = clock::now();
        assert_eq!(count().await.expect("it answers"), 1);
        let took = clock::now().saturating_duration_since(began);
        assert!(took + EARLY >= RTT.duration(), "a statement is a round trip: {took:?}");
        let delays = servers.delays();
        assert_eq!(delays[&model::delays::OF_NETWORK].asked_us_p50(), Some(20_000), "half of it each way");

        let feed = ComponentName::of("feed");
        let proxy =
            servers.proxies(Pattern::Component(feed), feed).next().expect("that of the whole program");
        let mut tx = db.write().await.expect("a turn");
        query("CREATE", "t", "CREATE TABLE t (n BIGINT)").execute(tx.conn()).await.expect("made");
        proxy.add_fault(1, ConnectionFault::Cut(ByteSize::new(0)));
        let lost = tx.commit().await.expect_err("its answer does not come through");
        assert!(matches!(lost, StorageError::Lost(_)), "{lost:?}");
        let cut = count().await.expect_err("nor does this one");
        assert!(matches!(cut, StorageError::Unreachable(_)), "{cut:?}");
        proxy.remove_fault(1);
        assert_eq!(count().await.expect("on a new connection"), 1);
        db.close().await;
        servers.shut_down(&environment).await;
        environment.tasks.finish(Duration::from_secs(1)).await;
    }
}
