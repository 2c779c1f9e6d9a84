//! What a process is made of for a placement: services, the topics that leave it, and perhaps the public door.

use contract::placement::StorePlan;
use contract::{ComponentName, ProcessPlan};
use node::{GatewayFactory, NodeContents, StoreContents};
use storage::OutboundTopics;

use crate::catalogue::{CATALOGUE, hosted};
use crate::door::FrontDoor;

/// What a process is made of.
pub fn parts(process: &ProcessPlan) -> NodeContents {
    let store = |store: StorePlan| StoreContents {
        services: hosted(&store.hosts).collect(),
        outbound: outward_topics(&store.hosts),
        name: store.name,
    };
    NodeContents {
        stores: process.stores().into_iter().map(store).collect(),
        gateway: process.gateway.then(|| Box::new(FrontDoor) as Box<dyn GatewayFactory>),
    }
}

/// Topics published by components of one database, with those who consume them in another.
fn outward_topics(hosts: &[ComponentName]) -> OutboundTopics {
    let mut outbound = OutboundTopics::default();
    for consumer in CATALOGUE.iter().filter(|service| !hosts.contains(&service.name)) {
        for topic in consumer.consumes.iter().filter(|topic| hosts.contains(&topic.publisher)) {
            outbound.add(topic.name, consumer.name);
        }
    }
    outbound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components;

    #[test]
    fn a_monolith_has_no_outward_topic_and_services_have_all() {
        let all = components();
        assert_eq!(outward_topics(&all), OutboundTopics::default());
        let photo = outward_topics(&[ComponentName::of("photo")]);
        assert_eq!(photo.topics().collect::<Vec<_>>(), ["PhotoDeleted", "PhotoPosted"]);
    }

    #[test]
    fn a_process_watches_whom_it_needs() {
        let names = |parts: NodeContents| {
            parts.remote_dependencies().into_iter().map(|n| n.as_str()).collect::<Vec<_>>()
        };
        let all = components();
        let holding = |hosts: &[ComponentName]| ProcessPlan {
            hosts: hosts.to_vec(),
            gateway: true,
            ..ProcessPlan::holding(ComponentName::of("app"))
        };
        let whole = holding(&all);
        assert!(names(parts(&whole)).is_empty(), "a monolith has all components");
        let stores = ProcessPlan { store_per_component: true, ..whole };
        assert!(names(parts(&stores)).is_empty(), "whatever databases they are in");
        assert_eq!(names(parts(&holding(&[]))).len(), all.len(), "the door alone leads to all");
        let feed = names(parts(&ProcessPlan::holding(ComponentName::of("feed"))));
        assert_eq!(feed, ["follower", "photo", "profile"]);
    }

    #[test]
    fn what_is_consumed_in_another_database_of_the_process_needs_an_outbox() {
        let process = ProcessPlan {
            hosts: components(),
            store_per_component: true,
            ..ProcessPlan::holding(ComponentName::of("app"))
        };
        let contents = parts(&process);
        let [.., photo] = &contents.stores[..] else { panic!("five databases") };
        assert_eq!(photo.name, "app.photo");
        assert_eq!(photo.outbound.topics().collect::<Vec<_>>(), ["PhotoDeleted", "PhotoPosted"]);
        assert_eq!(photo.consumed_topics(photo.services[0])[0].0.as_str(), "profile");
    }
}
