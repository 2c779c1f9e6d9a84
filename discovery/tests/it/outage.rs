//! A registry that is away costs news, never requests.

use std::time::Duration;

use discovery::{Watch, Watcher};
use fault::active::RegistryAnswer;
use runtime::Tasks;
use transport::cluster::{self, Clusters};

use crate::town::{LEASE, Life, PHOTO, announce, bounded, follow, ids, until};

#[tokio::test]
async fn the_clusters_outlive_the_registry() {
    let (life, tasks) = (Life::begin(), Tasks::new());
    let (watcher, clusters) = follow(&tasks, life.addr);
    let _registrar = announce(&tasks, life.addr, "photo#0", 4001);
    until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    let before = clusters.get(PHOTO).endpoints();
    life.kill();
    // Three leases without a registry: nobody is declared dead by its absence.
    until("three leases", || watcher.staleness() > 3 * LEASE).await;
    let after = clusters.get(PHOTO).endpoints();
    assert!(std::sync::Arc::ptr_eq(&before[0], &after[0]), "the same endpoint with its pool and its figures");
}

#[tokio::test]
async fn a_slow_registry_brings_news_late_and_loses_nobody() {
    let (life, tasks) = (Life::begin(), Tasks::new());
    let (watcher, clusters) = follow(&tasks, life.addr);
    let first = announce(&tasks, life.addr, "photo#0", 4001);
    bounded("registering", first.registered()).await;
    until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    // Renewals go out every third of a lease and arrive with half of one to spare.
    let late = LEASE / 6;
    life.registry.ail(Some(RegistryAnswer::Slow(late)));
    let began = runtime::clock::now();
    let _second = announce(&tasks, life.addr, "photo#1", 4002);
    until("the second", || ids(&clusters, PHOTO) == ["photo#0", "photo#1"]).await;
    // Once for the announcement, once for the news of it.
    assert!(began.elapsed() >= 2 * late);
    life.registry.ail(None);
    until("three leases", || began.elapsed() > 3 * LEASE).await;
    assert_eq!(ids(&clusters, PHOTO), ["photo#0", "photo#1"]);
    assert_eq!(watcher.snapshot().instances.len(), 2);
}

#[tokio::test]
async fn a_new_registry_is_told_everything_again_and_believed() {
    let (life, ours, gone) = (Life::begin(), Tasks::new(), Tasks::new());
    let addr = life.addr;
    let (watcher, clusters) = follow(&ours, addr);
    let stays = announce(&ours, addr, "stays", 4001);
    let leaves = announce(&gone, addr, "leaves", 4002);
    bounded("registering", stays.registered()).await;
    bounded("registering", leaves.registered()).await;
    until("both instances", || ids(&clusters, PHOTO) == ["leaves", "stays"]).await;
    let first_life = watcher.snapshot().registry;

    life.kill();
    // One of the two dies while nobody can notice.
    gone.close();
    gone.finish(Duration::from_secs(10)).await;
    let life = Life::begin_at(addr);
    until("the new life", || watcher.snapshot().registry > first_life).await;
    until("the survivor registers by itself", || life.registry.snapshot().instances.len() == 1).await;
    until("the dead one is forgotten", || ids(&clusters, PHOTO) == ["stays"]).await;
    assert!(watcher.staleness() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_empty_new_registry_does_not_empty_the_clusters() {
    let (life, ours, gone) = (Life::begin(), Tasks::new(), Tasks::new());
    let addr = life.addr;
    let (watcher, clusters) = follow(&ours, addr);
    let registrar = announce(&gone, addr, "photo#0", 4001);
    bounded("registering", registrar.registered()).await;
    until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    life.kill();
    gone.close();
    gone.finish(Duration::from_secs(10)).await;

    let first_life = watcher.snapshot().registry;
    let _life = Life::begin_at(addr);
    let mut changes = watcher.changes();
    let reborn = changes.wait_for(|at| at.is_some_and(|at| at.registry > first_life));
    bounded("the new life", reborn).await.expect("the watcher lives");
    assert_eq!(ids(&clusters, PHOTO), ["photo#0"], "kept although the new registry lists nobody");
    until("one lease later it is believed", || ids(&clusters, PHOTO).is_empty()).await;
}

#[tokio::test]
async fn a_cold_start_without_a_registry_uses_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Some(folder.path().join("registry.json"));
    let (life, first, second) = (Life::begin(), Tasks::new(), Tasks::new());
    let watch = |tasks: &Tasks| {
        let clusters = Clusters::new();
        let watch = Watch { file: file.clone(), ..Watch::new(life.addr, vec![PHOTO]) };
        (Watcher::start(tasks, watch, clusters.clone()), clusters)
    };
    let (_watcher, clusters) = watch(&first);
    let _registrar = announce(&first, life.addr, "photo#0", 4001);
    until("the instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    let written = || std::fs::read_to_string(file.as_ref().expect("given")).unwrap_or_default();
    until("the file", || written().contains("photo#0")).await;

    let addr = life.addr;
    life.registry.snapshot();
    let (_later, clusters) = {
        let file = file.clone();
        let clusters = Clusters::new();
        life.kill();
        let watch = Watch { file, ..Watch::new(addr, vec![PHOTO]) };
        (Watcher::start(&second, watch, clusters.clone()), clusters)
    };
    until("the remembered instance", || ids(&clusters, PHOTO) == ["photo#0"]).await;
    assert_eq!(clusters.get(PHOTO).endpoints()[0].state(), cluster::State::Suspect);
}
