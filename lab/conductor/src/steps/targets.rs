//! The instances a step acts on in an arm: names, resolved when it begins and again while it lasts.

use contract::hash::{fnv1a64_with, mix};
use contract::{ComponentName, ProcessPlan};
use fault::target::{BROKER, EVENTS};
use fault::{Pattern, Target};
use scenario::{Action, Step};

use crate::arm::layout::{ArmLayout, InstanceTarget};

/// Where a step acts in an arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedTarget {
    /// On these instances.
    Instances(Vec<String>),
    /// On the machine, or on the users.
    Outside,
    /// Nowhere, for this reason.
    NotApplicable(String),
}

/// Where a step acts in an arm. `seed` decides where only some are picked.
pub fn resolve(step: &Step, layout: &ArmLayout, seed: u64) -> ResolvedTarget {
    let Some(target) = step.target else { return ResolvedTarget::Outside };
    let acts_on_events = step.action.fault().is_some_and(fault::Fault::acts_on_events);
    let target = step.action.fault().map_or(target, |fault| fault.acted_on(target));
    let delivered = if acts_on_events { event_publishers(layout).map(drop) } else { Ok(()) };
    let found = match delivered.and_then(|()| select(target, layout)) {
        Ok(found) => found,
        Err(reason) => return ResolvedTarget::NotApplicable(reason),
    };
    match target {
        Target::Host => ResolvedTarget::Outside,
        _ if found.is_empty() => {
            ResolvedTarget::NotApplicable(format!("nothing here is called `{}`", step.on))
        }
        _ if matches!(step.action, Action::Scale(_) | Action::Autoscale(_))
            && found.iter().all(|name| has_one_port(name, layout)) =>
        {
            ResolvedTarget::NotApplicable(
                "the gateway is in the same process: it has one port and cannot be copied".into(),
            )
        }
        _ => ResolvedTarget::Instances(pick(step, found, seed)),
    }
}

/// Where a step will act in an arm that is only planned, for `cleave explain`: the same rule as in a run.
pub fn resolve_planned(
    step: &Step,
    arm: &scenario::Arm,
    processes: &[ProcessPlan],
    seed: u64,
) -> ResolvedTarget {
    resolve(step, &ArmLayout::planned(arm, processes), seed)
}

/// Copies of the callee that an edge names; empty where it names all.
pub(super) fn callee_copies(target: Target, layout: &ArmLayout) -> Vec<String> {
    match target {
        Target::Edge { callee: callee @ (Pattern::Instance(..) | Pattern::Zone(_)), .. } => {
            matching(callee, layout)
        }
        _ => Vec::new(),
    }
}

/// Instances that hold the callee of an edge.
pub(super) fn callee_instances(target: Target, layout: &ArmLayout) -> Vec<String> {
    match target {
        Target::Edge { callee, .. } => matching(callee, layout),
        _ => Vec::new(),
    }
}

fn select(target: Target, layout: &ArmLayout) -> Result<Vec<String>, String> {
    match target {
        Target::Edge { caller, callee } => {
            check_is_remote(caller, callee, layout)?;
            if matching(callee, layout).is_empty() {
                return Ok(Vec::new());
            }
            Ok(matching(caller, layout))
        }
        Target::Node(Pattern::Component(name)) if name == ComponentName::REGISTRY => {
            let found = matching(Pattern::Component(name), layout);
            if found.is_empty() {
                Err("there is no registry here: a single process needs none".into())
            } else {
                Ok(found)
            }
        }
        Target::Node(Pattern::Component(BROKER)) => event_publishers(layout),
        Target::Node(pattern) => Ok(matching(pattern, layout)),
        Target::Store(name) => Ok(matching(Pattern::Component(name), layout)),
        Target::Server(name) => {
            Ok(servers_of(name, layout)?.into_iter().map(|server| server.name.clone()).collect())
        }
        Target::Connection { caller, server } => connecting(caller, server, layout),
        Target::Cache(name) if !layout.cached.iter().any(|cached| cached == name.as_str()) => {
            Err(format!("`{name}` has no cache here"))
        }
        Target::Cache(name) => Ok(matching(Pattern::Component(name), layout)),
        Target::Host => Ok(Vec::new()),
    }
}

/// Servers that keep a component's data, or carry events.
fn servers_of(name: ComponentName, layout: &ArmLayout) -> Result<Vec<&InstanceTarget>, String> {
    let holds = |server: &&InstanceTarget| server.hosts.iter().any(|host| host == name.as_str());
    let servers: Vec<&InstanceTarget> = layout.servers.iter().filter(holds).collect();
    match (servers.is_empty(), name) {
        (false, _) => Ok(servers),
        // Where none leave their database, that is why; elsewhere they are pulled.
        (true, EVENTS) => event_publishers(layout)
            .and_then(|_| Err("events are pulled over HTTP here: there is no broker".into())),
        (true, _) => Err(format!("`{name}` keeps its data in a file here: there is no server")),
    }
}

/// Instances that have connections of a component to a server: those with data of the component there, and all with data to the
/// broker.
fn connecting(caller: Pattern, server: ComponentName, layout: &ArmLayout) -> Result<Vec<String>, String> {
    let servers = servers_of(server, layout)?;
    let is_kept =
        |host: &String| server == EVENTS || servers.iter().any(|server| server.hosts.contains(host));
    let is_meant = |host: &String| caller.name().is_none_or(|name| name.as_str() == host);
    let connects = |instance: &&InstanceTarget| {
        instance.hosts.iter().any(|host| !is_infrastructure(host) && is_kept(host) && is_meant(host))
    };
    let found: Vec<String> =
        layout.instances.iter().filter(connects).map(|instance| instance.name.clone()).collect();
    match found.is_empty() {
        false => Ok(found),
        true => Err(format!(
            "`{caller}` keeps no data on the server of `{server}` here: it has no connection to it"
        )),
    }
}

/// Processes that deliver events from one database to another.
fn event_publishers(layout: &ArmLayout) -> Result<Vec<String>, String> {
    let with_data = |instance: &&InstanceTarget| instance.hosts.iter().any(|host| !is_infrastructure(host));
    let with_data: Vec<&InstanceTarget> = layout.instances.iter().filter(with_data).collect();
    let is_one_database = with_data.iter().all(|instance| instance.hosts == with_data[0].hosts);
    if is_one_database && !layout.has_several_databases {
        return Err("events are applied in the transaction that publishes them here".into());
    }
    Ok(with_data.into_iter().map(|instance| instance.name.clone()).collect())
}

fn has_one_port(name: &str, layout: &ArmLayout) -> bool {
    let instance = layout.instances.iter().find(|instance| instance.name == name);
    instance.is_some_and(|instance| instance.hosts.iter().any(|host| is_infrastructure(host)))
}

fn is_infrastructure(host: &str) -> bool {
    host == ComponentName::GATEWAY.as_str() || host == ComponentName::REGISTRY.as_str()
}

/// An edge that is a function call has nothing a fault could act on.
fn check_is_remote(caller: Pattern, callee: Pattern, layout: &ArmLayout) -> Result<(), String> {
    let (from, to) = match (caller.name(), callee.name()) {
        (Some(from), Some(to)) => (from, to),
        (None, Some(to)) if caller == Pattern::Any => {
            let alone = matching(callee, layout)
                .iter()
                .all(|name| layout.instances.len() == 1 && layout.instances[0].name == *name);
            return if alone { Err(format!("every call to {to} is a function call here")) } else { Ok(()) };
        }
        _ if has_remote_edge(caller, callee, layout) => return Ok(()),
        _ => return Err("no call crosses from one to the other here".into()),
    };
    if layout.local_edges.contains(&format!("{from}->{to}")) {
        return Err(format!("{from}->{to} is a function call here"));
    }
    Ok(())
}

/// Whether some call goes from one side to the other between two processes.
fn has_remote_edge(caller: Pattern, callee: Pattern, layout: &ArmLayout) -> bool {
    let hosts = |pattern| {
        let names = matching(pattern, layout);
        let instance = layout.instances.iter().filter(move |instance| names.contains(&instance.name));
        instance.flat_map(|instance| instance.hosts.clone()).collect::<Vec<String>>()
    };
    let (from, to) = (hosts(caller), hosts(callee));
    layout
        .remote_edges
        .iter()
        .filter_map(|edge| edge.split_once("->"))
        .any(|(a, b)| from.iter().any(|host| host == a) && to.iter().any(|host| host == b))
}

fn matching(pattern: Pattern, layout: &ArmLayout) -> Vec<String> {
    let all = layout.instances.iter();
    let names =
        |found: Vec<&InstanceTarget>| found.into_iter().map(|instance| instance.name.clone()).collect();
    match pattern {
        Pattern::Any => names(all.collect()),
        Pattern::Zone(zone) => names(all.filter(|instance| instance.zone == zone.as_str()).collect()),
        Pattern::Component(name) => {
            let named = |instance: &&InstanceTarget| {
                instance.hosts.iter().any(|host| host == name.as_str())
                    || instance.name.split('#').next() == Some(name.as_str())
            };
            names(all.filter(named).collect())
        }
        Pattern::Instance(name, index) => {
            let by_process = format!("{name}#{index}");
            if layout.instances.iter().any(|instance| instance.name == by_process) {
                return vec![by_process];
            }
            matching(Pattern::Component(name), layout).into_iter().skip(index as usize).take(1).collect()
        }
    }
}

/// Some of those found, by the run's seed: the same ones in every arm that has them.
fn pick(step: &Step, mut found: Vec<String>, seed: u64) -> Vec<String> {
    let Some(pick) = step.pick else { return found };
    let order =
        |name: &String| mix(fnv1a64_with(name.as_bytes(), mix(seed ^ fnv1a64_with(step.id.as_bytes(), 0))));
    let wanted = pick.of(found.len());
    found.sort_by_key(order);
    found.truncate(wanted);
    found.sort();
    found
}

/// Components a step hits, for blast radius.
pub fn components_of(step: &Step) -> Vec<String> {
    step.target.and_then(Target::component).map(|name| name.to_string()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> ArmLayout {
        let instance = |name: &str, hosts: &[&str], zone: &str| InstanceTarget {
            name: name.into(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            zone: zone.into(),
        };
        ArmLayout {
            instances: vec![
                instance("registry#0", &["registry"], ""),
                instance("gateway#0", &["gateway"], ""),
                instance("people#0", &["profile", "follower"], "a"),
                instance("feed#0", &["feed"], "a"),
                instance("feed#1", &["feed"], "b"),
            ],
            servers: vec![instance("postgres#0", &["feed"], ""), instance("nats#0", &["events"], "")],
            local_edges: vec!["follower->profile".into()],
            remote_edges: ["feed->profile", "feed->follower", "gateway->feed"].map(str::to_owned).to_vec(),
            cached: vec!["profile".into()],
            has_several_databases: false,
        }
    }

    fn mono() -> ArmLayout {
        let hosts = ["gateway", "profile", "feed"].map(str::to_owned).to_vec();
        ArmLayout {
            instances: vec![InstanceTarget { name: "app#0".into(), hosts, zone: String::new() }],
            servers: Vec::new(),
            local_edges: vec!["feed->profile".into()],
            remote_edges: Vec::new(),
            cached: Vec::new(),
            has_several_databases: false,
        }
    }

    fn selected(text: &str, layout: &ArmLayout) -> Result<Vec<String>, String> {
        select(text.parse().expect("a target"), layout)
    }

    #[test]
    fn names_become_instances() {
        for (text, names) in [
            ("feed", &["feed#0", "feed#1"][..]),
            ("feed#1", &["feed#1"]),
            ("profile#0", &["people#0"]),
            ("people#0", &["people#0"]),
            ("people", &["people#0"]),
            ("zone:a", &["people#0", "feed#0"]),
            ("feed->profile", &["feed#0", "feed#1"]),
            ("feed#1->profile", &["feed#1"]),
            ("db:follower", &["people#0"]),
            ("cache:profile", &["people#0"]),
            ("server:feed", &["postgres#0"]),
            ("server:events", &["nats#0"]),
            ("feed->server:feed", &["feed#0", "feed#1"]),
            ("*->server:feed", &["feed#0", "feed#1"]),
            ("follower->server:events", &["people#0"]),
            ("*->server:events", &["people#0", "feed#0", "feed#1"]),
            ("broker", &["people#0", "feed#0", "feed#1"]),
            ("registry", &["registry#0"]),
            ("photo", &[]),
        ] {
            assert_eq!(
                selected(text, &layout()).unwrap_or_else(|why| panic!("{text}: {why}")),
                names,
                "{text}"
            );
        }
        let target = "zone:b->zone:a".parse().expect("a target");
        assert_eq!(select(target, &layout()), Ok(vec!["feed#1".to_owned()]), "feed calls profile there");
        assert_eq!(callee_copies(target, &layout()), ["people#0", "feed#0"]);
    }

    #[test]
    fn events_are_delivered_where_processes_hold_different_things() {
        assert_eq!(
            event_publishers(&layout()),
            Ok(["people#0", "feed#0", "feed#1"].map(str::to_owned).to_vec())
        );
        assert!(event_publishers(&mono()).expect_err("one transaction").contains("in the transaction"));
        let stores = ArmLayout { has_several_databases: true, ..mono() };
        assert_eq!(event_publishers(&stores), Ok(vec!["app#0".to_owned()]), "one process, several databases");
    }

    #[test]
    fn a_step_without_a_target_has_a_reason() {
        for (text, layout, why) in [
            ("follower->profile", layout(), "function call"),
            ("cache:feed", layout(), "no cache"),
            ("zone:a->zone:b", layout(), "no call crosses"),
            ("feed->profile", mono(), "function call"),
            ("*->profile", mono(), "function call"),
            ("zone:a->zone:b", mono(), "no call crosses"),
            ("registry", mono(), "no registry"),
            ("broker", mono(), "in the transaction"),
            ("server:profile", layout(), "in a file"),
            ("feed->server:profile", layout(), "in a file"),
            ("profile->server:feed", layout(), "no connection"),
            ("feed->server:events", mono(), "in the transaction"),
            ("server:feed", mono(), "in a file"),
            ("server:events", mono(), "in the transaction"),
            ("server:events", ArmLayout { servers: Vec::new(), ..layout() }, "pulled over HTTP"),
        ] {
            assert!(selected(text, &layout).expect_err(text).contains(why), "{text}");
        }
        assert_eq!(
            selected("gateway->feed", &mono()),
            Ok(vec!["app#0".into()]),
            "no local edge is listed here"
        );
    }
}
