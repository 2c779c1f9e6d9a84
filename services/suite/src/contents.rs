//! What a process is made of for a placement: services, the topics that leave it, and perhaps the public door.

use contract::ComponentName;
use node::{GatewayFactory, NodeContents};
use storage::OutboundTopics;

use crate::catalogue::{CATALOGUE, hosted};
use crate::door::FrontDoor;

/// What the process that holds these is made of.
pub fn parts(hosts: &[ComponentName], gateway: bool) -> NodeContents {
    NodeContents {
        services: hosted(hosts).collect(),
        outbound: outward_topics(hosts),
        gateway: gateway.then(|| Box::new(FrontDoor) as Box<dyn GatewayFactory>),
    }
}

/// Topics published here, with those who consume them in another database.
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
        assert!(names(parts(&all, true)).is_empty(), "a monolith has all components");
        assert_eq!(names(parts(&[], true)).len(), all.len(), "the door alone leads to all");
        let feed = names(parts(&[ComponentName::of("feed")], false));
        assert_eq!(feed, ["follower", "photo", "profile"]);
    }
}
