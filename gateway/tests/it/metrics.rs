//! What the door counts: requests by route, and what they cost.

use std::sync::Arc;

use contract::hash::mix;
use gateway::Upstream;
use runtime::Tasks;
use telemetry::{Level, LogTarget, Options};

use crate::fixture::{Hits, TestGateway, cluster_of, copy, echo, until};
use crate::raw_client::{exchange, request};

#[tokio::test]
async fn requests_are_counted_by_route_and_one_in_eight_is_billed() {
    let options = Options { level: Level::Metrics, log: LogTarget::Nowhere, ..Options::default() };
    let telemetry = Arc::new(telemetry::install(options).expect("once a process"));
    let tasks = Tasks::new();
    // The component behind its server layer: it answers with its cost when asked for it.
    let behind = echo(Hits::default()).layer(transport::server_layer::layer(crate::fixture::PHOTO));
    let copy = copy(&tasks, behind).await;
    let routes = vec![gateway::Route::new("GET", "/v1/echo/{counted}", crate::fixture::PHOTO)];
    let tuning = crate::fixture::Tuning { routes: Some(routes), ..Default::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;

    let mut billed = 0;
    for id in 1..=64_u64 {
        let fields = format!("x-cleave-request: {id:016x}\r\n");
        let answer = exchange(fixture.addr, request("GET", "/v1/echo/7", &fields, b"")).await;
        let asked = answer.json()["fields"].get("x-cleave-bill").is_some();
        assert_eq!(asked, mix(id).is_multiple_of(8), "by the id alone, so the same in every arm");
        billed += usize::from(asked);
        assert_eq!(answer.field("server-timing"), None, "what it cost is between the component and us");
    }
    assert!(billed > 0);
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
    assert_eq!(line("cost_billed_total", &[route]), Some(billed as f64));
    for part in [r#"part="transport""#, r#"part="business""#] {
        assert!(
            line("cost_wall_seconds_total", &[route, part]).is_some_and(|seconds| seconds > 0.0),
            "{part}"
        );
    }
    let unmatched = [r#"service="gateway""#, r#"http_route="<unmatched>""#, r#"http_request_method="PATCH""#];
    assert!(line("http_server_request_duration_seconds_count", &unmatched).is_some());
}
