//! The registry of an arm, which takes dead copies off the lists of their callers.

use super::layout::{Instance, Layout};
use crate::model::{Plan, RegistryPlan};

/// Adds the registry that an arm has, if it has one. Gateways stand in its list for the clients that ask them: these find out
/// as soon as a balancer with such leases would.
pub(super) fn add(layout: &Layout, copies: &[Instance], plan: &mut Plan) {
    let Some(registry) = copies.iter().find(|copy| copy.is_registry) else { return };
    let members = copies.iter().filter(|copy| !copy.is_registry);
    plan.registries.push(RegistryPlan {
        process: layout.own(&registry.name),
        members: members.map(|copy| layout.own(&copy.name)).collect(),
        watch_ns: watch_ns(layout),
    });
}

/// How long a change takes to the farthest caller, one way, ns: it is pushed as soon as it is known.
fn watch_ns(layout: &Layout) -> u64 {
    let declared = layout.arm.network;
    let links = layout.scale.as_ref().map_or([declared; 4], |scale| scale.links.by_distance(declared));
    links.iter().map(|link| link.rtt.nanos() / 2).max().unwrap_or(0)
}
