//! What the gateway counts: requests by route, those that their copy was too busy for, and those with an API key.

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use gateway::Upstream;
use policy::{Balance, Policy};
use runtime::{ShutdownPolicy, Tasks};
use serde_json::json;
use telemetry::{Level, LogTarget, Options};
use tokio::sync::Semaphore;

use crate::admin::change;
use crate::api_keys::{KEY, ask_with, keyed};
use crate::fixture::{Hits, TestGateway, Tuning, cluster_of, copy, echo, until};
use crate::raw_client::{exchange, get, request};

#[tokio::test]
async fn requests_are_counted_by_route() {
    let options = Options { level: Level::Metrics, log: LogTarget::Nowhere, ..Options::default() };
    let telemetry = Arc::new(telemetry::install(options).expect("once a process"));
    let tasks = Tasks::new();
    let copy = copy(&tasks, echo(Hits::default())).await;
    let routes = vec![gateway::Route::new("GET", "/v1/echo/{counted}", crate::fixture::PHOTO)];
    let tuning = crate::fixture::Tuning { routes: Some(routes), ..Default::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;

    for _ in 0..64 {
        assert_eq!(exchange(fixture.addr, request("GET", "/v1/echo/7", "", b"")).await.status, 200);
    }
    // A method that no other test sends: handles made before the recorder was installed count nowhere.
    assert_eq!(exchange(fixture.addr, request("PATCH", "/v1/nowhere/else", "", b"")).await.status, 404);

    let route = r#"http_route="/v1/echo/{counted}""#;
    let line = |name: &str, parts: &[&str]| {
        let text = telemetry.render();
        let found =
            text.lines().find(|line| line.starts_with(name) && parts.iter().all(|part| line.contains(part)));
        found.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    let served = [r#"service="gateway""#, r#"http_response_status_code="200""#, route];
    until("every request is counted when its answer has ended", || {
        line("http_server_request_duration_seconds_count", &served) == Some(64.0)
    })
    .await;
    let unmatched = [r#"service="gateway""#, r#"http_route="<unmatched>""#, r#"http_request_method="PATCH""#];
    assert!(line("http_server_request_duration_seconds_count", &unmatched).is_some());

    two_requests_for_one_photo_at_once(&tasks).await;
    let edge = [r#"service="gateway""#, r#"peer_service="photo""#];
    assert_eq!(line("cleave_balance_overflows_total", &edge), Some(1.0));

    let keyed = TestGateway::tuned(Upstream::Local(echo(Hits::default())), keyed()).await;
    let keys = json!({ "keys": { "counted": KEY } });
    assert_eq!(change(&keyed, "PUT", "/keys", &keys).await.status, 200);
    assert_eq!(ask_with(&keyed, KEY).await.status, 200);
    let used = [r#"service="gateway""#, r#"kind="counted""#];
    assert_eq!(line("cleave_api_key_requests_total", &used), Some(1.0));
}

/// The second goes to another copy than the first, which has as much as it may of two.
async fn two_requests_for_one_photo_at_once(tasks: &Tasks) {
    let (hits, free) = ([Hits::default(), Hits::default(), Hits::default()], Arc::new(Semaphore::new(0)));
    let mut addrs = Vec::new();
    for counted in hits.clone() {
        let free = free.clone();
        let held = move || {
            counted.hit();
            let free = free.clone();
            async move { free.acquire().await.expect("never closed").forget() }
        };
        addrs.push(copy(tasks, Router::new().route("/v1/echo/{id}", any(held))).await.addr());
    }
    let policy = Policy { balance: Some(Balance::BoundedHash), ..Policy::default() };
    let tuning = Tuning { policy: Some(policy), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&addrs)), tuning).await;
    let addr = fixture.addr;
    let visit =
        || tasks.spawn("test.visit", ShutdownPolicy::Drain, async move { get(addr, "/v1/echo/7").await });
    let visits = [visit(), visit()];
    until("both inside", || hits.iter().map(Hits::count).sum::<usize>() == 2).await;
    assert_eq!(hits.iter().map(Hits::count).max(), Some(1), "one for each of two copies");
    free.add_permits(2);
    for visit in visits {
        assert_eq!(visit.await.expect("no panic").expect("not cut").status, 200);
    }
}
