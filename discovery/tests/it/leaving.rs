//! What leaves while its callers do not watch a registry that has just started again.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use discovery::{Registrar, State, registry_log};
use runtime::Tasks;
use transport::cluster;

use crate::test_registry::{LEASE, PHOTO, TestRegistry, announce, wait_until, watch_services, with_timeout};

/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_secs(600);

/// A copy of photo that is registered, and in the log where there is one.
async fn registered(tasks: &Tasks, server: &TestRegistry, log: Option<&Path>) -> Registrar {
    let registrar = announce(tasks, server.addr, "photo#0", 4001);
    with_timeout("registering", registrar.registered()).await;
    if let Some(log) = log {
        let is_logged = || registry_log::read(log).expect("a log").instances.len() == 1;
        wait_until("the log", is_logged).await;
    }
    registrar
}

/// Kills a registry, and starts it again on its port, with its log.
fn restart(server: TestRegistry, log: &Path, rejoin: Duration) -> TestRegistry {
    let addr = server.addr;
    server.kill();
    TestRegistry::begin_awaited(addr, Some(log), rejoin)
}

/// Waits for something that comes before the end of `leaving`.
async fn before(leaving: impl Future<Output = ()>, awaited: impl Future<Output = ()>) {
    tokio::select! {
        () = leaving => panic!("it has left"),
        () = awaited => {}
    }
}

#[tokio::test]
async fn until_its_callers_are_back_it_is_listed_as_draining() {
    let (folder, tasks, others) = (tempfile::tempdir().expect("a folder"), Tasks::new(), Tasks::new());
    let log = folder.path().join("registry.log");
    let server = TestRegistry::begin_with(([127, 0, 0, 1], 0).into(), Some(&log));
    let registrar = registered(&tasks, &server, Some(&log)).await;
    let server = restart(server, &log, FOR_EVER);

    let mut leaving = std::pin::pin!(registrar.deregister());
    let listed = || server.registry.snapshot().instances.first().map(|photo| photo.state);
    before(&mut leaving, wait_until("that it drains", || listed() == Some(State::Draining))).await;
    // A caller that comes back only now hears of it, and would ask it where there is no other.
    let (_watcher, clusters) = watch_services(&others, server.addr);
    let is_known = || {
        let endpoints = clusters.get(PHOTO).endpoints();
        endpoints.iter().any(|endpoint| endpoint.state() == cluster::State::Draining)
    };
    before(&mut leaving, wait_until("a caller that is back", is_known)).await;
}

#[tokio::test]
async fn once_they_have_had_time_to_come_back_it_leaves() {
    let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
    let log = folder.path().join("registry.log");
    let server = TestRegistry::begin_with(([127, 0, 0, 1], 0).into(), Some(&log));
    let registrar = registered(&tasks, &server, Some(&log)).await;
    let restarted = runtime::clock::now();
    let server = restart(server, &log, LEASE);
    with_timeout("leaving", registrar.deregister()).await;
    assert!(restarted.elapsed() >= LEASE);
    assert!(server.registry.snapshot().instances.is_empty());
}

#[tokio::test]
async fn a_registry_that_has_begun_its_log_has_none_to_wait_for_and_one_without_a_log_cannot_know() {
    let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
    let log = folder.path().join("registry.log");
    let begin = |log| TestRegistry::begin_awaited(([127, 0, 0, 1], 0).into(), log, FOR_EVER);
    let first = begin(Some(log.as_path()));
    let registrar = registered(&tasks, &first, Some(&log)).await;
    with_timeout("leaving", registrar.deregister()).await;
    assert!(first.registry.snapshot().instances.is_empty());

    let forgetful = begin(None);
    let registrar = registered(&tasks, &forgetful, None).await;
    let listed = || forgetful.registry.snapshot().instances.first().map(|photo| photo.state);
    before(registrar.deregister(), wait_until("that it drains", || listed() == Some(State::Draining))).await;
}
