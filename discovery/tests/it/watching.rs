//! Registrations reach the clusters.

use std::time::Duration;

use discovery::Watcher;
use discovery::{Registrar, Watch};
use policy::NetworkOptions;
use runtime::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::Network;
use transport::cluster::{self, Clusters};

use crate::test_registry::{
    FEED, LEASE, PHOTO, TestRegistry, announce, ids, registration, wait_until, watch_services, with_timeout,
};

#[tokio::test]
async fn an_instance_added_is_seen_and_one_that_leaves_is_gone() {
    let (server, tasks) = (TestRegistry::begin(), Tasks::new());
    let (watcher, clusters) = watch_services(&tasks, server.addr);
    with_timeout("the first snapshot", watcher.first_snapshot()).await;
    assert_eq!(ids(&clusters, PHOTO), [""; 0]);

    let first = announce(&tasks, server.addr, "photo#0", 4001);
    wait_until("the first instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    let _second = announce(&tasks, server.addr, "photo#1", 4002);
    wait_until("the second instance", || ids(&clusters, PHOTO) == ["photo#0", "photo#1"]).await;
    assert_eq!(ids(&clusters, FEED), [""; 0], "no feed is announced");

    with_timeout("draining", first.drain()).await;
    let draining = |c: &Clusters| {
        let endpoints = c.get(PHOTO).endpoints();
        endpoints.iter().any(|e| *e.instance.id == *"photo#0" && e.state() == cluster::State::Draining)
    };
    wait_until("the draining state", || draining(&clusters)).await;
    with_timeout("deregistering", first.deregister()).await;
    wait_until("the departure", || ids(&clusters, PHOTO) == ["photo#1"]).await;
}

#[tokio::test]
async fn the_way_to_the_registry_crosses_the_declared_network() {
    let (server, tasks) = (TestRegistry::begin(), Tasks::new());
    let network = || Network::new(NetworkOptions::default().with_rtt(Duration::from_micros(200).into()));
    let (to_register, to_watch) = (network(), network());
    let registration = registration(server.addr, "photo#0", 4001);
    let registration = discovery::Registration { network: to_register.clone(), ..registration };
    with_timeout("registering", Registrar::start(&tasks, registration).registered()).await;
    let watch = Watch { network: to_watch.clone(), ..Watch::new(server.addr, vec![PHOTO]) };
    let watcher = Watcher::start(&tasks, watch, Clusters::new());
    with_timeout("the first snapshot", watcher.first_snapshot()).await;
    for network in [to_register, to_watch] {
        let asked = network.delays().asked_us;
        assert_eq!(asked.get(&200), Some(&1), "one connection: {asked:?}");
        assert!(asked.get(&100).is_some_and(|ways| *ways >= 2), "there and back: {asked:?}");
    }
}

#[tokio::test]
async fn closing_the_tasks_takes_the_announcement_back() {
    let (server, ours, others) = (TestRegistry::begin(), Tasks::new(), Tasks::new());
    let (_watcher, clusters) = watch_services(&others, server.addr);
    with_timeout("registering", announce(&ours, server.addr, "photo#0", 4001).registered()).await;
    wait_until("the announcement", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    ours.close();
    assert_eq!(ours.finish(Duration::from_secs(10)).await, 0, "nothing had to be cut");
    assert!(server.registry.snapshot().instances.is_empty(), "at once, not when the lease ends");
    wait_until("the departure", || ids(&clusters, PHOTO).is_empty()).await;
}

#[tokio::test]
async fn silence_of_an_instance_ends_its_lease() {
    let (server, ours, others) = (TestRegistry::begin(), Tasks::new(), Tasks::new());
    let (_watcher, clusters) = watch_services(&others, server.addr);
    // Registered once by hand and never renewed.
    let silent = crate::test_registry::instance(PHOTO, "silent", 1, 4001);
    let status = crate::api::put(server.addr, &silent).await;
    assert_eq!(status, 200);
    let lively = announce(&ours, server.addr, "lively", 4002);
    with_timeout("registering", lively.registered()).await;
    // The third change, after both announcements. On a busy machine a watcher may see all of them at once.
    wait_until("the end of the lease", || server.registry.snapshot().rev.0 >= 3).await;
    wait_until("the news of it", || ids(&clusters, PHOTO) == ["lively"]).await;
}

#[tokio::test]
async fn a_stream_without_a_sign_of_server_is_given_up() {
    // Answers the watch with one snapshot and then sends nothing, with the connection open.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (addr, tasks) = (listener.local_addr().expect("bound"), Tasks::new());
    let watch = Watch { idle_timeout: LEASE, ..Watch::new(addr, vec![PHOTO]) };
    let watcher = Watcher::start(&tasks, watch, Clusters::new());
    let mut mute = Vec::new();
    for connection in 0..2 {
        let (mut stream, _) = with_timeout("a connection", listener.accept()).await.expect("accepts");
        let mut request = vec![0; 1024];
        let length = stream.read(&mut request).await.expect("a request");
        let request = String::from_utf8_lossy(&request[..length]).to_ascii_lowercase();
        assert_eq!(request.contains("last-event-id: 9-4"), connection == 1, "{request}");
        let data = r#"{"registry":9,"rev":4,"lease_ms":3000,"preserving":false,"instances":[]}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nevent: snapshot\nid: 9-4\ndata: {data}\n\n"
        );
        stream.write_all(answer.as_bytes()).await.expect("writes");
        with_timeout("the snapshot", watcher.first_snapshot()).await;
        mute.push(stream);
    }
}

#[tokio::test]
async fn a_registry_that_closes_ends_its_watches() {
    let tasks = Tasks::new();
    let registry =
        discovery::Registry::open(discovery::Options::new("token".into())).expect("it keeps no log");
    registry.start(&tasks);
    let listener = transport::serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let options = transport::serve::Options { drain_grace: LEASE / 10, ..Default::default() };
    let server = transport::serve::serve(&tasks, listener, registry.router(), options);
    let (watcher, _clusters) = watch_services(&tasks, server.addr());
    with_timeout("the first snapshot", watcher.first_snapshot()).await;
    registry.close();
    assert_eq!(with_timeout("the drain", server.finish()).await, 0, "the watch had to be cut");
}
