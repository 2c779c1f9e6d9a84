//! The configuration of a process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use component::service_context::Settings;
use contract::broker::BrokerAddress;
use contract::placement::{Limits, StorePlan};
use contract::{Carrier, ComponentName, ProcessPlan, resources};
use discovery::Location;
use policy::balance::COPY_WEIGHT;
use policy::{BodyOptions, NetworkOptions, Policy, ServiceOptions};
use serde::{Deserialize, Serialize};
use telemetry::{Level, ProcessLabels};

use crate::databases::{ServerDatabase, database_path};

/// The environment variable that holds the secret of users' tokens, where the configuration names none.
pub const SECRET_VARIABLE: &str = "CLEAVE_SECRET";
/// The same for the token of calls, outbox and control.
pub const TOKEN_VARIABLE: &str = "CLEAVE_TOKEN";
/// The same for the password of its databases' server.
pub const POSTGRES_PASSWORD_VARIABLE: &str = "CLEAVE_POSTGRES_PASSWORD";

/// A node's whole configuration. The conductor writes it as JSON; `cleave node
/// --hosts` and the services' own programs fill it from flags and defaults.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// Which run this belongs to.
    pub run_id: String,
    /// Which scenario.
    pub scenario: String,
    /// Arm name.
    pub arm: String,
    /// Topology name.
    pub topology: String,
    /// `feed#0`: process name and copy.
    pub instance: String,
    /// This process of the topology.
    pub process: ProcessPlan,
    /// All processes of the topology, this one included.
    pub processes: Vec<ProcessPlan>,
    /// How calls travel between processes, and whether those within are encoded.
    pub carrier: Carrier,
    /// Where the registry is, for processes that are not alone: an address, or a host's name and a port.
    pub registry: Option<Location>,
    /// Where the registry that lives here keeps what is registered, for its next start; unset, it begins empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_log: Option<PathBuf>,
    /// Internal port: calls, outbox, metrics, control. On loopback unless others have to reach it from
    /// elsewhere; on all addresses (`0.0.0.0`) it is announced at the one that the registry is reached from.
    pub listen: SocketAddr,
    /// Public port of the gateway, where it lives here.
    pub public: SocketAddr,
    /// Certificate and key of the public port, which then speaks TLS alone; in a program built with the feature `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// Whether clients of the public port get HTTP/2: over TLS where they ask for it, and without where they begin with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public_http2: bool,
    /// Folder of databases and photo bytes.
    pub data: PathBuf,
    /// Databases that a server keeps, by their names; the others are files in the folder.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub postgres: BTreeMap<String, ServerDatabase>,
    /// The password of that server. Never in a file: it is in [`POSTGRES_PASSWORD_VARIABLE`].
    #[serde(skip_serializing)]
    pub postgres_password: String,
    /// Where the broker is that carries events between processes; unset, consumers pull them over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerAddress>,
    /// What opens it. Never in a file: it is in [`contract::broker::CREDENTIALS_VARIABLE`].
    #[serde(skip_serializing)]
    pub broker_credentials: String,
    /// Signs users' tokens. Empty in the files of a run: there it is in [`SECRET_VARIABLE`].
    pub secret: String,
    /// Opens calls, outbox and control. Empty in the files of a run: there it is in [`TOKEN_VARIABLE`].
    pub token: String,
    /// Policies by edge pattern, as in the scenario.
    pub policies: BTreeMap<String, Policy>,
    /// Shapes of components, as in the scenario.
    pub services: BTreeMap<String, ServiceOptions>,
    /// What lies between the processes of the topology.
    #[serde(skip_serializing_if = "NetworkOptions::is_loopback")]
    pub network: NetworkOptions,
    /// What this process may use.
    pub limits: Limits,
    /// Cores it keeps to; all of them where empty.
    pub cores: Vec<usize>,
    /// Its zone; empty where none is declared.
    pub zone: String,
    /// What it runs: a registered build.
    pub build: String,
    /// Leases its build brings along: what is wrong with it.
    pub defects: Vec<fault::Lease>,
    /// Version of the messages it speaks: others are not understood.
    pub schema: u32,
    /// Share of requests it gets relative to its peers, in thousandths of theirs.
    pub weight: u32,
    /// Other processes may open its database: copies come and go.
    pub shared: bool,
    /// Settings of the components.
    pub settings: Settings,
    /// How much is recorded.
    pub telemetry: Level,
    /// Where spans go; nowhere when unset.
    pub otlp: Option<String>,
    /// The run's seed.
    pub seed: u64,
    /// Threads of the async runtime: fixed, or every process would take all cores.
    pub workers: usize,
    /// Connections that read its database: its share of its arm's. Unset, what its components ask for.
    pub readers: Option<u32>,
}

/// A certificate, with those between it and its authority after it, and its key, both PEM. Only its owner may read the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificates.
    pub certificate: PathBuf,
    /// The key, with mode 0600.
    pub key: PathBuf,
}

impl Default for NodeConfig {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let process = ProcessPlan::empty("app");
        Self {
            run_id: "by-hand".into(),
            scenario: String::new(),
            arm: String::new(),
            topology: String::new(),
            instance: "app#0".into(),
            processes: vec![process.clone()],
            process,
            carrier: Carrier::default(),
            registry: None,
            registry_log: None,
            listen: loopback,
            public: loopback,
            tls: None,
            public_http2: false,
            data: PathBuf::from("data"),
            postgres: BTreeMap::new(),
            postgres_password: String::new(),
            broker: None,
            broker_credentials: String::new(),
            secret: String::new(),
            token: String::new(),
            policies: BTreeMap::new(),
            services: BTreeMap::new(),
            network: NetworkOptions::default(),
            limits: Limits::default(),
            cores: Vec::new(),
            zone: String::new(),
            build: "good".into(),
            defects: Vec::new(),
            schema: 1,
            weight: COPY_WEIGHT,
            shared: false,
            settings: Settings::default(),
            telemetry: Level::default(),
            otlp: None,
            seed: 42,
            workers: 2,
            readers: None,
        }
    }
}

impl NodeConfig {
    /// Where a database is.
    ///
    /// # Errors
    /// As [`ServerDatabase::location`].
    pub fn location(&self, store: &str) -> Result<storage::Location, storage::StorageError> {
        match self.postgres.get(store) {
            Some(database) => database.location(&self.postgres_password),
            None => Ok(database_path(&self.data, store).into()),
        }
    }

    /// What its metrics and spans are labelled with.
    pub fn labels(&self) -> ProcessLabels {
        ProcessLabels {
            run_id: self.run_id.clone(),
            scenario: self.scenario.clone(),
            arm: self.arm.clone(),
            topology: self.topology.clone(),
            instance: self.instance.clone(),
        }
    }

    /// What its deployment's streams are called on a broker, which may be that of several deployments.
    pub fn broker_name(&self) -> String {
        format!("{}-{}", self.run_id, self.arm.replace('/', "--"))
    }

    /// Connections that read a database, of the components that keep their data in it. The conductor gives a process its
    /// share; databases of one component each, and a process started by hand, have what a first copy gets.
    pub fn readers(&self, store: &StorePlan) -> u32 {
        let given = self.readers.filter(|_| store.hosts.len() == self.process.hosts.len());
        given.unwrap_or_else(|| resources::store_readers(&self.process, store, 0, |name| self.pool(name)))
    }

    /// Connections that are declared for a component.
    pub fn pool(&self, name: ComponentName) -> Option<u32> {
        self.services.get(name.as_str())?.pool
    }

    /// What is declared of the bodies that the gateway holds.
    pub fn bodies(&self) -> BodyOptions {
        let gateway = self.services.get(ComponentName::GATEWAY.as_str());
        gateway.and_then(|gateway| gateway.bodies).unwrap_or_default()
    }

    /// Leaf keys of the JSON form: the operational-complexity row counts them.
    pub fn keys(&self) -> u32 {
        fn leaves(value: &serde_json::Value) -> u32 {
            match value {
                serde_json::Value::Object(fields) => fields.values().map(leaves).sum(),
                _ => 1,
            }
        }
        leaves(&serde_json::to_value(self).unwrap_or_default())
    }

    /// Components here.
    pub fn hosts(&self) -> &[ComponentName] {
        &self.process.hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_the_broker_is_in_no_file() {
        let config = NodeConfig {
            broker: Some(BrokerAddress::loopback(4300)),
            broker_credentials: "s3cret".into(),
            ..NodeConfig::default()
        };
        let text = serde_json::to_string(&config).expect("plain data");
        assert!(text.contains("nats://127.0.0.1:4300") && !text.contains("s3cret"), "{text}");
        let read: NodeConfig = serde_json::from_str(&text).expect("reads back");
        assert_eq!((read.broker, read.broker_credentials.as_str()), (config.broker, ""));
    }

    #[test]
    fn components_of_a_process_add_to_its_pool() {
        let mut config = NodeConfig::default();
        let readers = |config: &NodeConfig| -> Vec<u32> {
            config.process.stores().iter().map(|store| config.readers(store)).collect()
        };
        assert_eq!(readers(&config), [0; 0], "no component, no database");
        config.process.hosts = ["feed", "photo"].map(ComponentName::of).to_vec();
        assert_eq!(readers(&config), [4], "two each");
        for (name, pool) in [("feed", 3), ("search", 5)] {
            config
                .services
                .insert(name.into(), ServiceOptions { pool: Some(pool), ..ServiceOptions::default() });
        }
        assert_eq!(readers(&config), [3 + 2], "search lives elsewhere");
        config.services.insert("photo".into(), ServiceOptions { pool: Some(4), ..ServiceOptions::default() });
        assert_eq!(readers(&config), [3 + 4]);
        config.readers = Some(1);
        assert_eq!(readers(&config), [1], "the share that the conductor gives it");
        config.process.store_per_component = true;
        assert_eq!(readers(&config), [3, 4], "in databases of their own");
    }
}
