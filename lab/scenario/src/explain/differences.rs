//! What sets arms apart: every key of topology, services, policies, network, telemetry and build that two arms do not share.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::scenario::Arm;

/// A key that two arms do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// `policy.feed->photo.timeout`.
    pub(super) key: String,
    /// In the first arm; `None` where it does not have the key.
    pub(super) base: Option<String>,
    /// In the other.
    pub(super) other: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = &self.key;
        match (&self.base, &self.other) {
            (Some(base), Some(other)) => write!(f, "{key} = {other} instead of {base}"),
            (None, Some(other)) => write!(f, "{key} = {other}"),
            (Some(base), None) => write!(f, "no {key} (= {base})"),
            (None, None) => f.write_str(key),
        }
    }
}

/// What sets an arm apart from the first, by key.
pub(super) fn between(base: &Arm, other: &Arm) -> Vec<Difference> {
    let (base, other) = (keys(base), keys(other));
    let mut all: Vec<&String> = base.keys().chain(other.keys()).collect();
    all.sort();
    all.dedup();
    let differing = all.into_iter().filter(|key| base.get(*key) != other.get(*key));
    let difference = |key: &String| Difference {
        key: key.clone(),
        base: base.get(key).cloned(),
        other: other.get(key).cloned(),
    };
    differing.map(difference).collect()
}

/// All that is declared of an arm, by dotted key.
fn keys(arm: &Arm) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let mut add = |name: &str, value: Value| flatten(name, value, &mut keys);
    add("topology", value(&arm.placement));
    add("service", value(&arm.services));
    add("policy", value(&arm.policies));
    add("network", value(&arm.network));
    add("build", value(&arm.build));
    let telemetry = arm.telemetry.map(|level| format!("{level:?}").to_lowercase());
    add("telemetry", value(&telemetry));
    keys
}

fn value(of: &impl Serialize) -> Value {
    // Plain data; what could not be written would be left out.
    serde_json::to_value(of).unwrap_or_default()
}

fn flatten(name: &str, value: Value, keys: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (key, value) in fields {
                flatten(&format!("{name}.{key}"), value, keys);
            }
        }
        Value::String(text) => {
            keys.insert(name.to_owned(), text);
        }
        value => {
            keys.insert(name.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, topology: &str) -> Arm {
        Arm::without_variant(name, toml::from_str(topology).expect("a placement"))
    }

    #[test]
    fn every_declared_key_that_differs_is_named() {
        let mono = arm("mono", "processes = { app = [\"gateway\", \"*\"] }");
        let mut micro = arm("micro", "processes = { each = [\"*\"] }\nreplicas = { feed = 2 }");
        assert_eq!(between(&mono, &mono), []);
        micro.services = toml::from_str("[feed]\nslots = 4\nwork = { mean = \"5ms\" }").expect("services");
        micro.policies = toml::from_str("[\"feed->photo\"]\ntimeout = \"70ms\"").expect("policies");
        micro.network = toml::from_str("rtt = \"300us\"").expect("a network");
        let texts: Vec<String> = between(&mono, &micro).iter().map(ToString::to_string).collect();
        for text in [
            "no topology.processes.app (= [\"gateway\",\"*\"])",
            "topology.processes.each = [\"*\"]",
            "topology.replicas.feed = 2",
            "service.feed.slots = 4",
            "policy.feed->photo.timeout = 70ms",
            "network.rtt = 300us instead of 0s",
            "service.feed.work.mean = 5ms",
        ] {
            assert!(texts.iter().any(|found| found == text), "no `{text}` in {texts:#?}");
        }
    }
}
