//! A process of a topology, and the databases it keeps.

use serde::{Deserialize, Serialize};

use crate::ComponentName;
use crate::store::StoreProduct;

/// One process of a topology, with its components spelled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// Its name in the topology: `app`, `people`, or the component's own.
    pub name: String,
    /// What it holds, in catalogue order.
    pub hosts: Vec<ComponentName>,
    /// Whether the public door is inside.
    pub gateway: bool,
    /// Whether the registry is inside.
    pub registry: bool,
    /// How many copies run.
    pub replicas: u32,
    /// Whether each of several components has a database of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub store_per_component: bool,
    /// Whether each of several components that PostgreSQL keeps has a schema of its own there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub schema_per_component: bool,
    /// Components whose data PostgreSQL keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_postgres: Vec<ComponentName>,
}

/// A database of a process, and the components that keep their data in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePlan {
    /// Its name: the process's, or `app.feed` where the components of `app` have one each; `app.postgres` where some of
    /// them share one there, and the others a file.
    pub name: String,
    /// Whose data it holds, in catalogue order.
    pub hosts: Vec<ComponentName>,
    /// What keeps it.
    pub product: StoreProduct,
}

impl ProcessPlan {
    /// Its databases: one for all of its components, or one for each; none without components. What PostgreSQL keeps and
    /// what SQLite keeps are never one. A schema of a shared database is a database to its component.
    pub fn stores(&self) -> Vec<StorePlan> {
        let product = |host: &ComponentName| match self.on_postgres.contains(host) {
            true => StoreProduct::Postgres,
            false => StoreProduct::Sqlite,
        };
        let own = |host: &ComponentName| {
            let name = format!("{}.{host}", self.name);
            StorePlan { name, hosts: vec![*host], product: product(host) }
        };
        if self.store_per_component && self.hosts.len() > 1 {
            return self.hosts.iter().map(own).collect();
        }
        let kept_by = |kept_by| {
            let hosts = self.hosts.iter().copied().filter(|host| product(host) == kept_by).collect();
            StorePlan { name: self.name.clone(), hosts, product: kept_by }
        };
        let mut stores = vec![kept_by(StoreProduct::Sqlite)];
        if self.schema_per_component && self.hosts.len() > 1 {
            stores.extend(self.on_postgres.iter().map(own));
            stores.retain(|store| !store.hosts.is_empty());
            return stores;
        }
        stores.push(kept_by(StoreProduct::Postgres));
        stores.retain(|store| !store.hosts.is_empty());
        if let [_, other] = &mut stores[..] {
            other.name.push_str(".postgres");
        }
        stores
    }

    /// A process for one component, by its name.
    pub fn holding(component: ComponentName) -> Self {
        Self { hosts: vec![component], ..Self::empty(component.as_str()) }
    }

    /// One copy of a process that holds nothing yet.
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            hosts: Vec::new(),
            gateway: false,
            registry: false,
            replicas: 1,
            store_per_component: false,
            schema_per_component: false,
            on_postgres: Vec::new(),
        }
    }
}

/// Processes that run, copies counted.
pub fn process_count(processes: &[ProcessPlan]) -> u32 {
    processes.iter().map(|process| process.replicas).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Placement;

    const FIVE: [ComponentName; 5] = [
        ComponentName::of("profile"),
        ComponentName::of("follower"),
        ComponentName::of("feed"),
        ComponentName::of("search"),
        ComponentName::of("photo"),
    ];

    const MONO: &str = r#"{ "app": ["gateway", "*"] }"#;
    const MICRO: &str = r#"{ "each": ["*"] }"#;

    /// The processes of a topology, as a scenario has it.
    fn processes(processes: &str, keys: &str) -> Vec<ProcessPlan> {
        let placement: Placement =
            serde_json::from_str(&format!("{{ \"processes\": {processes} {keys} }}")).expect("a placement");
        placement.resolve(&FIVE).expect("valid")
    }

    fn stores(of: &str, keys: &str) -> Vec<String> {
        let stores = processes(of, keys).iter().flat_map(ProcessPlan::stores).collect::<Vec<_>>();
        stores
            .iter()
            .map(|store| format!("{} {} {}", store.name, store.product.name(), store.hosts.len()))
            .collect()
    }

    #[test]
    fn components_of_a_process_share_a_database_or_have_one_each() {
        let own = r#", "store_per_component": true"#;
        assert_eq!(stores(MONO, ""), ["app sqlite 5"]);
        let names = ["app.profile", "app.follower", "app.feed", "app.search", "app.photo"];
        assert_eq!(stores(MONO, own), names.map(|name| format!("{name} sqlite 1")));
        assert_eq!(stores(MICRO, own), stores(MICRO, ""), "as without it");
        assert_eq!(processes(MICRO, own), processes(MICRO, ""));
    }

    #[test]
    fn data_are_kept_where_the_topology_declares() {
        assert_eq!(stores(MONO, r#", "store": "postgres""#), ["app postgres 5"]);
        let mixed = r#", "store": { "feed": "postgres", "*": "sqlite" }"#;
        assert_eq!(stores(MONO, mixed), ["app sqlite 4", "app.postgres postgres 1"]);
        let schemas = stores(MONO, r#", "store": "postgres", "shared_database": true"#);
        assert_eq!((schemas.len(), schemas[0].as_str()), (5, "app.profile postgres 1"));
        let partly_in_a_file =
            r#", "store": { "feed": "postgres", "photo": "postgres" }, "shared_database": true"#;
        assert_eq!(
            stores(MONO, partly_in_a_file),
            ["app sqlite 3", "app.feed postgres 1", "app.photo postgres 1"],
            "what SQLite keeps stays in one file"
        );
        assert_eq!(
            stores(MICRO, r#", "store": { "feed": "postgres" }"#),
            ["profile sqlite 1", "follower sqlite 1", "feed postgres 1", "search sqlite 1", "photo sqlite 1"]
        );
    }
}
