//! What the gateway counts: requests by route.

use std::sync::Arc;

use gateway::Upstream;
use runtime::Tasks;
use telemetry::{Level, LogTarget, Options};

use crate::fixture::{Hits, TestGateway, cluster_of, copy, echo, until};
use crate::raw_client::{exchange, request};

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
}
