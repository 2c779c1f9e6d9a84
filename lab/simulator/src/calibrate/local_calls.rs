//! Which arms show what calls of the gateway take that stay in its process.
//!
//! To find the route, to read the request and to write the answer is elsewhere the work of the callee's server, and among the CPU
//! of its messages. In a shared process there is no message, and the gateway does it, in its operation and about it. Calls between
//! other components are plain function calls, and take next to nothing.

use ::scenario::Scenario;
use contract::ComponentName;
use contract::placement::Carrier;

use super::is_plain;

const GATEWAY: &str = ComponentName::GATEWAY.as_str();

/// Whether an arm shows it: the gateway shares a process, and nothing else is in its CPU.
pub(super) fn has(scenario: &Scenario, arm: &record::Arm) -> bool {
    let planned = scenario.arms.iter().find(|planned| planned.name == arm.name);
    // On `wire` a call is encoded and read on its way to itself.
    let is_call = |planned: &&::scenario::Arm| planned.placement.carrier != Carrier::Wire;
    let is_shown = planned.filter(is_call).is_some_and(|planned| is_plain(scenario, planned));
    is_shown && arm.instances.iter().any(is_shared)
}

/// Whether a process has the gateway and more.
fn is_shared(instance: &record::Instance) -> bool {
    instance.hosts.len() > 1 && instance.hosts.iter().any(|host| host == GATEWAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_shared_that_has_the_gateway_and_more() {
        let of = |hosts: &[&str]| record::Instance {
            name: "app#0".into(),
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            port: 0,
            public_port: None,
            copies: 1,
        };
        assert!(is_shared(&of(&["gateway", "feed"])));
        assert!(!is_shared(&of(&["gateway"])), "it has nothing to call there");
        assert!(!is_shared(&of(&["feed", "photo"])), "of the calls of others nothing is learnt");
    }
}
