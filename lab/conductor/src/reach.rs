//! Whom a step reaches in an arm: names, resolved when it begins and again while it lasts.

use contract::ComponentName;
use contract::id::{fnv1a64, mix};
use fault::target::BROKER;
use fault::{Pattern, Target};
use scenario::{Action, Step};

/// An instance as far as targets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `feed#0`.
    pub name: String,
    /// Components inside, door and registry included.
    pub hosts: Vec<String>,
    /// Where it stands; empty where nothing is said.
    pub zone: String,
}

/// An arm as far as targets go.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Its instances.
    pub instances: Vec<Standing>,
    /// Edges that are function calls, `caller->callee`.
    pub local_edges: Vec<String>,
    /// Edges that cross processes.
    pub remote_edges: Vec<String>,
    /// Components with a declared cache.
    pub cached: Vec<String>,
}

/// Where a step acts in an arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On these instances.
    Instances(Vec<String>),
    /// On the machine, or on the users.
    Outside,
    /// Nowhere, for this reason.
    NotApplicable(String),
}

/// Where a step acts in an arm. `seed` decides where only some are picked.
pub fn reach(step: &Step, field: &Field, seed: u64) -> Reach {
    let Some(target) = step.target else { return Reach::Outside };
    let of_events = step.action.fault().is_some_and(fault::Fault::is_of_events);
    let delivered = if of_events { publishers(field).map(drop) } else { Ok(()) };
    let found = match delivered.and_then(|()| meant(target, field)) {
        Ok(found) => found,
        Err(reason) => return Reach::NotApplicable(reason),
    };
    match target {
        Target::Host => Reach::Outside,
        _ if found.is_empty() => Reach::NotApplicable(format!("nothing here is called `{}`", step.on)),
        _ if matches!(step.action, Action::Scale(_))
            && found.iter().all(|name| has_one_port(name, field)) =>
        {
            Reach::NotApplicable(
                "the door is in the same process: it has one port and cannot be copied".into(),
            )
        }
        _ => Reach::Instances(picked(step, found, seed)),
    }
}

/// Copies of the callee a step's edge is about; empty where all are meant.
pub fn callees(target: Target, field: &Field) -> Vec<String> {
    match target {
        Target::Edge { callee: callee @ (Pattern::Copy(..) | Pattern::Zone(_)), .. } => {
            holding(callee, field)
        }
        _ => Vec::new(),
    }
}

/// Instances that answer for the callee of an edge.
pub fn answering(target: Target, field: &Field) -> Vec<String> {
    match target {
        Target::Edge { callee, .. } => holding(callee, field),
        _ => Vec::new(),
    }
}

fn meant(target: Target, field: &Field) -> Result<Vec<String>, String> {
    match target {
        Target::Edge { caller, callee } => {
            local(caller, callee, field)?;
            if holding(callee, field).is_empty() {
                return Ok(Vec::new());
            }
            Ok(holding(caller, field))
        }
        Target::Node(Pattern::One(name)) if name == ComponentName::REGISTRY => {
            let found = holding(Pattern::One(name), field);
            if found.is_empty() {
                Err("there is no registry here: nobody needs to be found".into())
            } else {
                Ok(found)
            }
        }
        Target::Node(Pattern::One(BROKER)) => publishers(field),
        Target::Node(pattern) => Ok(holding(pattern, field)),
        Target::Store(name) => Ok(holding(Pattern::One(name), field)),
        Target::Cache(name) if !field.cached.iter().any(|cached| cached == name.as_str()) => {
            Err(format!("`{name}` has no cache here"))
        }
        Target::Cache(name) => Ok(holding(Pattern::One(name), field)),
        Target::Host => Ok(Vec::new()),
    }
}

/// Processes that deliver events to each other.
fn publishers(field: &Field) -> Result<Vec<String>, String> {
    let with_data = |standing: &&Standing| standing.hosts.iter().any(|host| !is_infrastructure(host));
    let with_data: Vec<&Standing> = field.instances.iter().filter(with_data).collect();
    if with_data.iter().all(|standing| standing.hosts == with_data[0].hosts) {
        return Err("events are applied in the transaction that publishes them here".into());
    }
    Ok(with_data.into_iter().map(|standing| standing.name.clone()).collect())
}

fn has_one_port(name: &str, field: &Field) -> bool {
    let standing = field.instances.iter().find(|standing| standing.name == name);
    standing.is_some_and(|standing| standing.hosts.iter().any(|host| is_infrastructure(host)))
}

fn is_infrastructure(host: &str) -> bool {
    host == ComponentName::GATEWAY.as_str() || host == ComponentName::REGISTRY.as_str()
}

/// An edge that is a function call has nothing a fault could act on.
fn local(caller: Pattern, callee: Pattern, field: &Field) -> Result<(), String> {
    let (from, to) = match (caller.name(), callee.name()) {
        (Some(from), Some(to)) => (from, to),
        (None, Some(to)) if caller == Pattern::Any => {
            let alone = holding(callee, field)
                .iter()
                .all(|name| field.instances.len() == 1 && field.instances[0].name == *name);
            return if alone { Err(format!("every call to {to} is a function call here")) } else { Ok(()) };
        }
        _ if crosses(caller, callee, field) => return Ok(()),
        _ => return Err("no call crosses from the one to the other here".into()),
    };
    if field.local_edges.contains(&format!("{from}->{to}")) {
        return Err(format!("{from}->{to} is a function call here"));
    }
    Ok(())
}

/// Whether some call goes from one side to the other between two processes.
fn crosses(caller: Pattern, callee: Pattern, field: &Field) -> bool {
    let hosts = |pattern| {
        let names = holding(pattern, field);
        let standing = field.instances.iter().filter(move |standing| names.contains(&standing.name));
        standing.flat_map(|standing| standing.hosts.clone()).collect::<Vec<String>>()
    };
    let (from, to) = (hosts(caller), hosts(callee));
    field
        .remote_edges
        .iter()
        .filter_map(|edge| edge.split_once("->"))
        .any(|(a, b)| from.iter().any(|host| host == a) && to.iter().any(|host| host == b))
}

fn holding(pattern: Pattern, field: &Field) -> Vec<String> {
    let all = field.instances.iter();
    let names = |found: Vec<&Standing>| found.into_iter().map(|standing| standing.name.clone()).collect();
    match pattern {
        Pattern::Any => names(all.collect()),
        Pattern::Zone(zone) => names(all.filter(|standing| standing.zone == zone.as_str()).collect()),
        Pattern::One(name) => {
            let named = |standing: &&Standing| {
                standing.hosts.iter().any(|host| host == name.as_str())
                    || standing.name.split('#').next() == Some(name.as_str())
            };
            names(all.filter(named).collect())
        }
        Pattern::Copy(name, index) => {
            let by_process = format!("{name}#{index}");
            if field.instances.iter().any(|standing| standing.name == by_process) {
                return vec![by_process];
            }
            holding(Pattern::One(name), field).into_iter().skip(index as usize).take(1).collect()
        }
    }
}

/// Some of those found, by the run's seed: the same ones in every arm that has them.
fn picked(step: &Step, mut found: Vec<String>, seed: u64) -> Vec<String> {
    let Some(pick) = step.pick else { return found };
    let order = |name: &String| mix(fnv1a64(name.as_bytes(), mix(seed ^ fnv1a64(step.id.as_bytes(), 0))));
    let wanted = pick.of(found.len());
    found.sort_by_key(order);
    found.truncate(wanted);
    found.sort();
    found
}

/// Components a step hits, for blast radius.
pub fn hits(step: &Step) -> Vec<String> {
    step.target.and_then(Target::component).map(|name| name.to_string()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field() -> Field {
        let standing = |name: &str, hosts: &[&str], zone: &str| Standing {
            name: name.into(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            zone: zone.into(),
        };
        Field {
            instances: vec![
                standing("registry#0", &["registry"], ""),
                standing("gateway#0", &["gateway"], ""),
                standing("people#0", &["profile", "follower"], "a"),
                standing("feed#0", &["feed"], "a"),
                standing("feed#1", &["feed"], "b"),
            ],
            local_edges: vec!["follower->profile".into()],
            remote_edges: ["feed->profile", "feed->follower", "gateway->feed"].map(str::to_owned).to_vec(),
            cached: vec!["profile".into()],
        }
    }

    fn mono() -> Field {
        let hosts = ["gateway", "profile", "feed"].map(str::to_owned).to_vec();
        Field {
            instances: vec![Standing { name: "app#0".into(), hosts, zone: String::new() }],
            local_edges: vec!["feed->profile".into()],
            remote_edges: Vec::new(),
            cached: Vec::new(),
        }
    }

    fn meant_by(text: &str, field: &Field) -> Result<Vec<String>, String> {
        meant(text.parse().expect("a target"), field)
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
            ("broker", &["people#0", "feed#0", "feed#1"]),
            ("registry", &["registry#0"]),
            ("photo", &[]),
        ] {
            assert_eq!(
                meant_by(text, &field()).unwrap_or_else(|why| panic!("{text}: {why}")),
                names,
                "{text}"
            );
        }
        let target = "zone:b->zone:a".parse().expect("a target");
        assert_eq!(meant(target, &field()), Ok(vec!["feed#1".to_owned()]), "feed asks profile there");
        assert_eq!(callees(target, &field()), ["people#0", "feed#0"]);
    }

    #[test]
    fn events_are_delivered_where_processes_hold_different_things() {
        assert_eq!(publishers(&field()), Ok(["people#0", "feed#0", "feed#1"].map(str::to_owned).to_vec()));
        assert!(publishers(&mono()).expect_err("one transaction").contains("in the transaction"));
    }

    #[test]
    fn what_has_nothing_to_act_on_says_why() {
        for (text, field, why) in [
            ("follower->profile", field(), "function call"),
            ("cache:feed", field(), "no cache"),
            ("zone:a->zone:b", field(), "no call crosses"),
            ("feed->profile", mono(), "function call"),
            ("*->profile", mono(), "function call"),
            ("zone:a->zone:b", mono(), "no call crosses"),
            ("registry", mono(), "no registry"),
            ("broker", mono(), "in the transaction"),
        ] {
            assert!(meant_by(text, &field).expect_err(text).contains(why), "{text}");
        }
        assert_eq!(
            meant_by("gateway->feed", &mono()),
            Ok(vec!["app#0".into()]),
            "no local edge is listed here"
        );
    }
}
