//! The services, in the order documents name them. Adding one is adding its line.

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
    for (caller, callee) in calls() {
        edge(caller, callee);
    }
    (local, remote)
}

/// Who calls whom: the gateway every service, and each of these its callees.
pub fn calls() -> Vec<(ComponentName, ComponentName)> {
    let of_service = |service: &&Service<History>| {
        let callees = service.calls.iter().map(|callee| ComponentName::of(callee));
        let name = service.name;
        std::iter::once((ComponentName::GATEWAY, name)).chain(callees.map(move |callee| (name, callee)))
    };
    CATALOGUE.iter().flat_map(of_service).collect()
}

/// Who takes events from whom where the two do not share a database.
pub fn event_sources() -> Vec<(ComponentName, ComponentName)> {
    let mut sources: Vec<_> = CATALOGUE
        .iter()
        .flat_map(|service| service.consumes.iter().map(|topic| (service.name, topic.publisher)))
        .filter(|(consumer, publisher)| consumer != publisher)
        .collect();
    sources.sort();
    sources.dedup();
    sources
}

/// The tables of the services on a database server, in the order they are made.
pub fn tables() -> Vec<(ComponentName, &'static str)> {
    let made = |service: &&'static Service<History>| {
        let statements =
            service.migrations.iter().flat_map(|step| step.postgres.unwrap_or(step.sql).split(';'));
        let names = statements.filter_map(|statement| {
            statement.trim_start().strip_prefix("CREATE TABLE ")?.split([' ', '(']).next()
        });
        let name = service.name;
        names.map(move |table| (name, table))
    };
    CATALOGUE.iter().flat_map(made).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contract::Topic;

    use super::*;

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
    fn tables_are_named_as_their_service_is() {
        let tables = tables();
        for (service, table) in &tables {
            assert!(table.starts_with(&format!("{service}_")), "{table} of `{service}`");
        }
        for name in ["feed_posts", "feed_follow_changes", "search_photos_text", "photo_likes"] {
            assert!(tables.iter().any(|(_, table)| *table == name), "{name}: {tables:?}");
        }
        assert!(CATALOGUE.iter().all(|service| tables.iter().any(|(owner, _)| *owner == service.name)));
    }

    #[test]
    fn topics_are_published_by_their_owners_and_every_consumed_one_is() {
        let published: BTreeSet<Topic> = CATALOGUE.iter().flat_map(|s| s.publishes.iter().copied()).collect();
        for service in CATALOGUE {
            for topic in service.publishes {
                assert_eq!(topic.publisher, service.name, "{} is not for `{}`", topic.name, service.name);
            }
            for topic in service.consumes {
                assert!(
                    published.contains(topic),
                    "`{}` waits for {}, which `{}` does not publish",
                    service.name,
                    topic.name,
                    topic.publisher
                );
            }
        }
    }
}
