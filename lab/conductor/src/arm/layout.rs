//! An arm as targets see it: its instances, and the edges between their components.

use std::collections::BTreeMap;

use contract::{Placement, ProcessPlan};

use crate::arm::servers;

/// An instance as targets see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceTarget {
    /// `feed#0`.
    pub name: String,
    /// Components inside, gateway and registry included.
    pub hosts: Vec<String>,
    /// Its zone; empty where the topology names none.
    pub zone: String,
}

/// An arm as targets see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmLayout {
    /// Its instances.
    pub instances: Vec<InstanceTarget>,
    /// Its servers: of databases, as holders of the components whose data they keep, and of events, as that of `events`.
    pub servers: Vec<InstanceTarget>,
    /// Edges that are function calls, `caller->callee`.
    pub local_edges: Vec<String>,
    /// Edges that cross processes.
    pub remote_edges: Vec<String>,
    /// Components with a declared cache.
    pub cached: Vec<String>,
    /// Whether the components of one process keep their data in several databases.
    pub has_several_databases: bool,
}

impl ArmLayout {
    /// The layout of these instances of these processes.
    pub fn new(
        instances: Vec<InstanceTarget>,
        processes: &[ProcessPlan],
        placement: &Placement,
        services: &BTreeMap<String, policy::ServiceOptions>,
    ) -> Self {
        let (local_edges, remote_edges) = suite::catalogue::edges(processes);
        let cached = services.iter().filter(|(_, service)| service.cache.is_some());
        let cached = cached.map(|(name, _)| name.clone()).collect();
        let servers = servers::planned(processes, placement).into_iter();
        let servers = servers
            .map(|server| InstanceTarget { name: server.name, hosts: server.holds, zone: String::new() })
            .collect();
        let has_several_databases = processes.iter().any(|process| process.stores().len() > 1);
        Self { instances, servers, local_edges, remote_edges, cached, has_several_databases }
    }

    /// The layout that an arm will have once it has started.
    pub fn planned(arm: &scenario::Arm, processes: &[ProcessPlan]) -> Self {
        let copies =
            processes.iter().flat_map(|process| (0..process.replicas).map(move |copy| (process, copy)));
        let instance = |(process, copy): (&ProcessPlan, u32)| InstanceTarget {
            name: format!("{}#{copy}", process.name),
            hosts: components_of(process),
            zone: arm.placement.zone_of(&process.name, copy).to_owned(),
        };
        Self::new(copies.map(instance).collect(), processes, &arm.placement, &arm.services)
    }
}

/// Components of a process, gateway and registry included.
pub(crate) fn components_of(process: &ProcessPlan) -> Vec<String> {
    let registry = process.registry.then(|| "registry".to_owned());
    let gateway = process.gateway.then(|| "gateway".to_owned());
    registry.into_iter().chain(gateway).chain(process.hosts.iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_arm_has_its_gateway_its_registry_and_every_copy() {
        let placement =
            "processes = { each = [\"*\"] }\nreplicas = { feed = 2 }".parse::<toml::Table>().expect("TOML");
        let arm = scenario::Arm::without_variant("micro", placement.try_into().expect("a placement"));
        let processes = arm.placement.resolve(&suite::components()).expect("processes");
        let layout = ArmLayout::planned(&arm, &processes);
        let hosts = |name: &str| {
            let found = layout.instances.iter().find(|instance| instance.name == name);
            found.map(|instance| instance.hosts.join("+"))
        };
        assert_eq!(hosts("feed#1").as_deref(), Some("feed"));
        assert_eq!(hosts("feed#2"), None, "two copies are 0 and 1");
        assert_eq!(hosts("gateway#0").as_deref(), Some("gateway"));
        assert_eq!(hosts("registry#0").as_deref(), Some("registry"));
        assert!(layout.remote_edges.contains(&"gateway->feed".to_owned()), "{:?}", layout.remote_edges);
        assert_eq!(layout.local_edges, [""; 0], "every component has a process of its own");
        assert_eq!(layout.servers, [], "its data are files, and its events are pulled");
        assert_eq!(layout.cached, [""; 0]);
    }
}
