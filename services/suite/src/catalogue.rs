//! The services, in the order documents name them. Adding one is adding its line.

use std::collections::BTreeSet;

use component::Service;
use contract::{ComponentName, ProcessPlan};
use history::History;

/// Every service of the application.
pub static CATALOGUE: &[&Service<History>] =
    &[&profile::SERVICE, &follower::SERVICE, &feed::SERVICE, &search::SERVICE, &photo::SERVICE];

/// Their names, in the same order.
pub fn components() -> Vec<ComponentName> {
    CATALOGUE.iter().map(|service| service.name).collect()
}

/// The services that live in a process.
pub fn hosted(hosts: &[ComponentName]) -> impl Iterator<Item = &'static Service<History>> + '_ {
    CATALOGUE.iter().copied().filter(|service| hosts.contains(&service.name))
}

/// Topics published here that somebody in another database consumes: only
/// these need outbox rows.
pub fn outward_topics(hosts: &[ComponentName]) -> BTreeSet<&'static str> {
    let wanted: BTreeSet<&str> = CATALOGUE
        .iter()
        .filter(|service| !hosts.contains(&service.name))
        .flat_map(|service| service.consumes.iter().copied())
        .collect();
    hosted(hosts)
        .flat_map(|service| service.publishes.iter().copied())
        .filter(|topic| wanted.contains(topic))
        .collect()
}

/// Topics a service consumes from another database, by who publishes them.
pub fn inward_topics(
    service: &Service<History>,
    hosts: &[ComponentName],
) -> Vec<(ComponentName, Vec<&'static str>)> {
    CATALOGUE
        .iter()
        .filter(|publisher| !hosts.contains(&publisher.name))
        .map(|publisher| {
            let topics = publisher.publishes.iter().copied().filter(|topic| service.consumes.contains(topic));
            (publisher.name, topics.collect::<Vec<_>>())
        })
        .filter(|(_, topics)| !topics.is_empty())
        .collect()
}

/// How a placement is spelled in the record: which edges are function calls
/// and which cross processes, as `caller->callee`.
pub fn edges(processes: &[ProcessPlan]) -> (Vec<String>, Vec<String>) {
    let home = |name: ComponentName| {
        processes
            .iter()
            .position(|p| p.hosts.contains(&name) || (p.gateway && name == ComponentName::GATEWAY))
    };
    let mut local = Vec::new();
    let mut remote = Vec::new();
    let mut edge = |caller: ComponentName, callee: ComponentName| {
        let side = if home(caller) == home(callee) { &mut local } else { &mut remote };
        side.push(format!("{caller}->{callee}"));
    };
    for service in CATALOGUE {
        edge(ComponentName::GATEWAY, service.name);
        for callee in service.asks {
            edge(service.name, ComponentName::of(callee));
        }
    }
    (local, remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monolith_has_no_outward_topic_and_services_have_all() {
        let all = components();
        assert!(outward_topics(&all).is_empty());
        let photo = outward_topics(&[ComponentName::of("photo")]);
        assert_eq!(photo.into_iter().collect::<Vec<_>>(), ["PhotoDeleted", "PhotoPosted"]);
    }

    #[test]
    fn names_and_routes_are_unique() {
        let mut names = BTreeSet::new();
        let mut routes = BTreeSet::new();
        for service in CATALOGUE {
            assert!(names.insert(service.name), "`{}` is listed twice", service.name);
            for route in service.routes {
                assert!(
                    routes.insert((route.method, route.path)),
                    "{} {} has two owners",
                    route.method,
                    route.path
                );
            }
        }
    }

    #[test]
    fn every_consumed_topic_has_a_publisher() {
        let published: BTreeSet<&str> = CATALOGUE.iter().flat_map(|s| s.publishes.iter().copied()).collect();
        for service in CATALOGUE {
            for topic in service.consumes {
                assert!(
                    published.contains(topic),
                    "`{}` waits for {topic}, which nobody publishes",
                    service.name
                );
            }
        }
    }
}
