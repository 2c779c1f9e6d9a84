//! During an outage of the registry clients miss changes, but requests continue.

use std::sync::Arc;
use std::time::Duration;

use discovery::registry_log;
use discovery::registry_state::Rules;
use discovery::{LogOptions, Options, Registry, State, Watch, Watcher};
use fault::active::RegistryAnswer;
use runtime::Tasks;
use transport::cluster::{self, Clusters};

use crate::api::put;
use crate::test_registry::{
    FEED, LEASE, PHOTO, TOKEN_HEADER, TestRegistry, announce, ids, instance, wait_and_watch, wait_until,
    watch_services, with_timeout,
};

#[tokio::test]
async fn the_clusters_outlive_the_registry() {
    let (server, tasks) = (TestRegistry::begin(), Tasks::new());
    let (watcher, clusters) = watch_services(&tasks, server.addr);
    let _registrar = announce(&tasks, server.addr, "photo#0", 4001);
    wait_until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    let before = clusters.get(PHOTO).endpoints();
    server.kill();
    // Three leases without a registry: no instance is removed.
    wait_until("three leases", || watcher.staleness() > 3 * LEASE).await;
    let after = clusters.get(PHOTO).endpoints();
    assert!(std::sync::Arc::ptr_eq(&before[0], &after[0]), "the same endpoint with its pool and its figures");
}

#[tokio::test]
async fn a_slow_registry_delays_changes_and_loses_no_instance() {
    let (server, tasks) = (TestRegistry::begin(), Tasks::new());
    let (watcher, clusters) = watch_services(&tasks, server.addr);
    let first = announce(&tasks, server.addr, "photo#0", 4001);
    with_timeout("registering", first.registered()).await;
    wait_until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    // Renewals go out every third of a lease and arrive with half of one to spare.
    let late = LEASE / 6;
    server.registry.set_fault(Some(RegistryAnswer::Slow(late)));
    let began = runtime::clock::now();
    let _second = announce(&tasks, server.addr, "photo#1", 4002);
    let pause = wait_and_watch("the second", || ids(&clusters, PHOTO) == ["photo#0", "photo#1"]).await;
    // Once for the announcement, once for the news of it.
    assert!(began.elapsed() >= 2 * late);
    server.registry.set_fault(None);
    let pause = pause.max(wait_and_watch("three leases", || began.elapsed() > 3 * LEASE).await);
    // Renewals are sent from this thread: where it stood still for longer than they have to spare, a lease ends with right.
    if pause < LEASE / 3 {
        assert_eq!(ids(&clusters, PHOTO), ["photo#0", "photo#1"]);
        assert_eq!(watcher.snapshot().instances.len(), 2);
    }
}

#[tokio::test]
async fn instances_register_again_with_a_new_registry() {
    let (server, ours, gone) = (TestRegistry::begin(), Tasks::new(), Tasks::new());
    let addr = server.addr;
    let (watcher, clusters) = watch_services(&ours, addr);
    let stays = announce(&ours, addr, "stays", 4001);
    let leaves = announce(&gone, addr, "leaves", 4002);
    with_timeout("registering", stays.registered()).await;
    with_timeout("registering", leaves.registered()).await;
    wait_until("both instances", || ids(&clusters, PHOTO) == ["leaves", "stays"]).await;
    let first_server = watcher.snapshot().registry;

    server.kill();
    // One of the two dies during the outage.
    gone.close();
    gone.finish(Duration::from_secs(10)).await;
    let server = TestRegistry::begin_at(addr);
    wait_until("the new life", || watcher.snapshot().registry > first_server).await;
    wait_until("the survivor registers by itself", || server.registry.snapshot().instances.len() == 1).await;
    wait_until("the dead one is forgotten", || ids(&clusters, PHOTO) == ["stays"]).await;
    wait_until("news", || watcher.staleness() < LEASE).await;
}

#[tokio::test]
async fn an_empty_new_registry_does_not_empty_the_clusters() {
    let (server, ours, gone) = (TestRegistry::begin(), Tasks::new(), Tasks::new());
    let addr = server.addr;
    let (watcher, clusters) = watch_services(&ours, addr);
    let registrar = announce(&gone, addr, "photo#0", 4001);
    with_timeout("registering", registrar.registered()).await;
    wait_until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    server.kill();
    gone.close();
    gone.finish(Duration::from_secs(10)).await;

    let first_server = watcher.snapshot().registry;
    let _server = TestRegistry::begin_at(addr);
    let mut changes = watcher.changes();
    let reborn = changes.wait_for(|at| at.is_some_and(|at| at.registry > first_server));
    with_timeout("the new life", reborn).await.expect("the watcher lives");
    assert_eq!(ids(&clusters, PHOTO), ["photo#0"], "kept although the new registry lists no instance");
    wait_until("one lease later it is believed", || ids(&clusters, PHOTO).is_empty()).await;
}

#[tokio::test]
async fn a_registry_with_a_log_knows_at_once_what_was_registered() {
    let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
    let log = folder.path().join("registry.log");
    let begin = |addr| TestRegistry::begin_with(addr, Some(&log));
    let server = begin(([127, 0, 0, 1], 0).into());
    // Registered by hand: neither renews, whatever the registry does.
    let (photo, feed) = (instance(PHOTO, "p", 1, 4001), instance(FEED, "f", 1, 4002));
    for instance in [&photo, &feed] {
        assert_eq!(put(server.addr, instance).await, 200);
    }
    let logged = || registry_log::read(&log).expect("a log").instances;
    wait_until("the log", || logged().len() == 2).await;
    let (addr, first_server) = (server.addr, server.registry.snapshot().registry);
    server.kill();

    let server = begin(addr);
    let snapshot = server.registry.snapshot();
    assert_eq!(snapshot.instances, [feed, photo], "before any renewal");
    assert!(snapshot.registry > first_server, "watchers begin anew");
    // One that starts now misses none.
    let (watcher, clusters) = watch_services(&tasks, addr);
    with_timeout("the first snapshot", watcher.first_snapshot()).await;
    assert_eq!((ids(&clusters, PHOTO), ids(&clusters, FEED)), (vec!["p".to_owned()], vec!["f".to_owned()]));
    wait_until("the end of the grace", || server.registry.snapshot().instances.is_empty()).await;
    wait_until("the log", || logged().is_empty()).await;
}

#[tokio::test]
async fn what_a_killed_registry_had_not_written_comes_back_with_a_renewal() {
    let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
    let log = folder.path().join("registry.log");
    let server = TestRegistry::begin_with(([127, 0, 0, 1], 0).into(), Some(&log));
    let registrar = announce(&tasks, server.addr, "photo#0", 4001);
    let logged = || registry_log::read(&log).expect("a log").instances.first().map(|photo| photo.state);
    wait_until("the log", || logged() == Some(State::Ready)).await;
    let before = std::fs::read(&log).expect("written");
    with_timeout("draining", registrar.drain()).await;
    wait_until("the log", || logged() == Some(State::Draining)).await;
    let addr = server.addr;
    server.kill();

    // As if it had been killed between its answer and its write.
    std::fs::write(&log, before).expect("a file of ours");
    let server = TestRegistry::begin_with(addr, Some(&log));
    let state = || server.registry.snapshot().instances.first().map(|photo| photo.state);
    wait_until("the state that was acknowledged", || state() == Some(State::Draining)).await;
}

#[tokio::test]
async fn a_log_has_every_change_once_the_registry_has_ended() {
    let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
    let log = folder.path().join("registry.log");
    let options = Options {
        // Longer than this test, so that no lease ends meanwhile.
        rules: Rules { lease_ns: 600_000_000_000, ..Rules::default() },
        // Some ten changes, so that snapshots replace the file on the way.
        log: Some(LogOptions { compact_bytes: 1_500, ..LogOptions::at(&log) }),
        ..Options::new(Arc::from(TOKEN_HEADER))
    };
    let registry = Registry::open(options).expect("a folder of ours");
    registry.start(&tasks);
    let listener = transport::serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let options = transport::serve::Options { drain_grace: LEASE / 10, ..Default::default() };
    let server = transport::serve::serve(&tasks, listener, registry.router(), options);
    for n in 0..40 {
        assert_eq!(put(server.addr(), &instance(PHOTO, &format!("p{n}"), 1, 4001)).await, 200);
    }
    assert_eq!(with_timeout("the drain", server.finish()).await, 0);
    assert_eq!(tasks.finish(Duration::from_secs(10)).await, 0, "nothing had to be cut");
    let recovered = registry_log::read(&log).expect("a log");
    assert_eq!(recovered.instances, registry.snapshot().instances);
    assert_eq!((recovered.instances.len(), recovered.skipped, recovered.torn_bytes), (40, 0, 0));
}

#[tokio::test]
async fn a_cold_start_without_a_registry_uses_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Some(folder.path().join("registry.json"));
    let (server, first, second) = (TestRegistry::begin(), Tasks::new(), Tasks::new());
    let watch = |tasks: &Tasks| {
        let clusters = Clusters::new();
        let watch = Watch { file: file.clone(), ..Watch::new(server.addr, vec![PHOTO]) };
        (Watcher::start(tasks, watch, clusters.clone()), clusters)
    };
    let (_watcher, clusters) = watch(&first);
    let _registrar = announce(&first, server.addr, "photo#0", 4001);
    wait_until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    let written = || std::fs::read_to_string(file.as_ref().expect("given")).unwrap_or_default();
    wait_until("the file", || written().contains("photo#0")).await;

    let addr = server.addr;
    server.registry.snapshot();
    let (_later, clusters) = {
        let file = file.clone();
        let clusters = Clusters::new();
        server.kill();
        let watch = Watch { file, ..Watch::new(addr, vec![PHOTO]) };
        (Watcher::start(&second, watch, clusters.clone()), clusters)
    };
    wait_until("the remembered instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    assert_eq!(clusters.get(PHOTO).endpoints()[0].state(), cluster::State::Suspect);
}
