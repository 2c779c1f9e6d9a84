//! What servers a placement needs: of databases, and of events; and what is wrong with what it declares of them.

use crate::broker::EventCarrier;
use crate::placement::list;
use crate::store::{ServerCount, StoreProduct};
use crate::{ComponentName, Placement, ProcessPlan};

impl Placement {
    /// Whether a server keeps any of the data.
    pub fn has_server(&self) -> bool {
        self.store.has(StoreProduct::Postgres)
    }

    /// Whether a broker carries events.
    pub fn has_broker(&self) -> bool {
        self.events == EventCarrier::Nats
    }

    /// What is wrong with where the data are kept.
    pub(crate) fn store_errors(&self, catalogue: &[ComponentName]) -> Vec<String> {
        let mut errors: Vec<String> = self
            .store
            .names()
            .filter(|name| *name != "*" && !catalogue.iter().any(|known| known.as_str() == *name))
            .map(|name| format!("store: unknown component `{name}`; components: {}, *", list(catalogue)))
            .collect();
        let no_server = |key: &str| {
            format!("`{key}` has no effect without `store = \"postgres\"`; add that, or remove `{key}`")
        };
        if self.servers.is_some() && !self.has_server() {
            errors.push(no_server("servers"));
        }
        if self.shared_database && !self.has_server() {
            errors.push(no_server("shared_database"));
        }
        if self.shared_database && self.servers == Some(ServerCount::Each) {
            errors.push(
                "shared_database is one database of one server; leave `servers` or `shared_database` out"
                    .into(),
            );
        }
        errors
    }

    /// That the carrier of events would have none to carry.
    pub(crate) fn event_error(&self, processes: &[ProcessPlan]) -> Option<String> {
        let holding = processes.iter().filter(|process| !process.hosts.is_empty()).count();
        (self.has_broker() && holding < 2).then(|| {
            "`events` has no effect where one process holds all components, since no event leaves it; split them, or remove \
             `events`"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_pulled_unless_a_broker_is_asked_for() {
        const TWO: [ComponentName; 2] = [ComponentName::of("profile"), ComponentName::of("feed")];
        let read = |processes: &str, keys: &str| {
            serde_json::from_str::<Placement>(&format!("{{ \"processes\": {processes} {keys} }}"))
        };
        let micro = |keys| read(r#"{ "each": ["*"] }"#, keys);
        let pull = micro("").expect("a placement");
        assert_eq!(micro(r#", "events": "pull""#).expect("a placement"), pull, "two ways to write the same");
        let nats = micro(r#", "events": "nats""#).expect("a placement");
        assert!(nats.has_broker() && !pull.has_broker());
        nats.resolve(&TWO).expect("two processes");
        let unknown = micro(r#", "events": "kafka""#).expect_err("no carrier").to_string();
        assert!(unknown.contains("unknown carrier of events `kafka`; carriers: pull, nats"), "{unknown}");
        for (processes, copies) in [(r#"{ "app": ["gateway", "*"] }"#, 1), (r#"{ "app": ["*"] }"#, 3)] {
            let keys = format!(r#", "events": "nats", "replicas": {{ "app": {copies} }}"#);
            let whole = read(processes, &keys).expect("a placement");
            let errors = whole.resolve(&TWO).expect_err("no event leaves it");
            assert!(errors[0].0.contains("one process holds all components"), "{errors:?}");
        }
    }
}
