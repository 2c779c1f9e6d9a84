//! What the gateway counts: requests by route, whose failures they are, those that their copy was too busy for, second tries, requests over an adaptive
//! limit, copies of requests, and requests with an API key.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use bytes::Bytes;
use gateway::config::Mirror;
use gateway::{Route, Upstream};
use policy::adaptive_concurrency::AdaptiveConcurrencyOptions;
use policy::hedge::HedgeOptions;
use policy::units::{HumanDuration, Ratio};
use policy::{Balance, Policy};
use runtime::{ShutdownPolicy, Tasks};
use serde_json::json;
use telemetry::{Level, LogTarget, Options};
use tokio::sync::Semaphore;

use crate::admin::change;
use crate::api_keys::{KEY, ask_with, keyed};
use crate::fixture::{
    COUNTED, Hits, TestGateway, Tuning, cluster_named, cluster_of, copy, echo, patient, until,
};
use crate::raw_client::{RawConnection, exchange, get, request};

#[tokio::test]
async fn requests_are_counted_by_route() {
    let options = Options { level: Level::Metrics, log: LogTarget::Nowhere, ..Options::default() };
    let telemetry = Arc::new(telemetry::install(options).expect("once a process"));
    let tasks = Tasks::new();
    let copy = copy(&tasks, echo(Hits::default())).await;
    let routes = vec![patient("GET", "/v1/echo/{counted}")];
    let tuning = Tuning { routes: Some(routes), ..Tuning::default() };
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
    failures_of_each_side(&tasks).await;
    let failed = |route: &str, status: &str, is_failure: bool| {
        let parts = [format!(r#"http_route="{route}""#), format!(r#"http_response_status_code="{status}""#)];
        let text = telemetry.render();
        let is_it = |line: &&str| {
            line.starts_with("http_server_request_duration_seconds_count{")
                && parts.iter().all(|part| line.contains(part.as_str()))
                && line.contains("error_type=") == is_failure
        };
        text.lines().find(is_it).and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    let of_status = |status, is_failure| failed("/v1/status/{counted}", status, is_failure);
    until("each is counted", || of_status("504", true) == Some(1.0) && of_status("504", false) == Some(2.0))
        .await;
    until("this as well", || of_status("500", true) == Some(1.0) && of_status("404", false) == Some(1.0))
        .await;
    assert_eq!((of_status("500", false), of_status("404", true)), (None, None));

    let unmatched = [r#"service="gateway""#, r#"http_route="<unmatched>""#, r#"http_request_method="PATCH""#];
    assert!(line("http_server_request_duration_seconds_count", &unmatched).is_some());

    two_requests_for_one_photo_at_once(&tasks).await;
    let edge = [r#"service="gateway""#, r#"peer_service="photo""#];
    assert_eq!(line("cleave_balance_overflows_total", &edge), Some(1.0));

    let edge = [r#"service="gateway""#, r#"peer_service="counted""#];
    let hedged =
        |outcome: &str| line("cleave_hedges_total", &[edge[0], edge[1], &format!(r#"outcome="{outcome}""#)]);
    four_hedged_requests(&tasks).await;
    let answered = ["second", "first", "neither"].map(hedged);
    assert_eq!(answered, [Some(1.0); 3], "by the second try, by the first, by neither");
    until("the request that its client has left", || hedged("abandoned") == Some(1.0)).await;

    two_requests_where_one_may_be_under_way(&tasks).await;
    assert_eq!(line("cleave_concurrency_limit", &edge), Some(1.0));
    let refused = [edge[0], edge[1], r#"kind="adaptive_concurrency""#];
    assert_eq!(line("cleave_requests_shed_total", &refused), Some(1.0));

    four_requests_with_copies(&tasks, |outcome| {
        line("cleave_mirrored_requests_total", &[edge[1], &format!(r#"outcome="{outcome}""#)])
    })
    .await;

    let keyed = TestGateway::tuned(Upstream::Local(echo(Hits::default())), keyed()).await;
    let keys = json!({ "keys": { "counted": KEY } });
    assert_eq!(change(&keyed, "PUT", "/keys", &keys).await.status, 200);
    assert_eq!(ask_with(&keyed, KEY).await.status, 200);
    let used = [r#"service="gateway""#, r#"kind="counted""#];
    assert_eq!(line("cleave_api_key_requests_total", &used), Some(1.0));

    #[cfg(feature = "response-cache")]
    {
        let gateway = before_kept_answers();
        let answered = async |fields: &str| read_kept(&gateway, fields).await;
        assert_eq!(answered("only-if-cached").await, 504);
        assert_eq!(failed("/v1/kept", "504", false), Some(1.0));
        assert_eq!(failed("/v1/kept", "504", true), None, "its client's own condition is no failure");
        for _ in 0..3 {
            assert_eq!(answered("max-age=60").await, 200);
        }
        let of = |outcome| {
            line("cleave_response_cache_requests_total", &[r#"peer_service="kept-photo""#, outcome])
        };
        assert_eq!((of(r#"outcome="miss""#), of(r#"outcome="hit""#)), (Some(2.0), Some(2.0)));
    }
}

/// A component answers with a failure, that it finds nothing, and that it was too slow; two clients leave it no time at all.
async fn failures_of_each_side(tasks: &Tasks) {
    let copy = copy(tasks, echo(Hits::default())).await;
    let routes = vec![patient("GET", "/v1/status/{counted}")];
    let policy = Some(Policy { attempts: Some(1), ..Policy::default() });
    let tuning = Tuning { routes: Some(routes), policy, ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
    for status in [500, 404, 504] {
        let asked = request("GET", &format!("/v1/status/{status}"), "", b"");
        assert_eq!(exchange(fixture.addr, asked).await.status, status);
    }
    for _ in 0..2 {
        let hasty = request("GET", "/v1/status/200", "x-deadline-ms: 0\r\n", b"");
        assert_eq!(exchange(fixture.addr, hasty).await.status, 504);
    }
}

/// Of a component that no other test has.
#[cfg(feature = "response-cache")]
fn before_kept_answers() -> gateway::Gateway {
    const KEPT: contract::ComponentName = contract::ComponentName::of("kept-photo");
    let answer = || async { ([("cache-control", "max-age=60")], "a photo") };
    let router = Router::new().route("/v1/kept", any(answer));
    let routes = vec![gateway::Route { cache: true, ..gateway::Route::new("GET", "/v1/kept", KEPT) }];
    let find = move |name| (name == KEPT).then(|| Upstream::Local(router.clone()));
    let table = gateway::RouteTable { routes };
    gateway::Gateway::new(crate::fixture::options(), table, find).expect("a valid table")
}

/// The status of a read with this `Cache-Control`. It is counted as its answer is dropped.
#[cfg(feature = "response-cache")]
async fn read_kept(gateway: &gateway::Gateway, cache_control: &str) -> u16 {
    let request = http::Request::builder().uri("/v1/kept").header("host", "cleave");
    let request = request.header("cache-control", cache_control).body(transport::Body::empty());
    gateway.handle(request.expect("a request")).await.status().as_u16()
}

/// The second goes to another copy than the first, which has as much as it may of two.
async fn two_requests_for_one_photo_at_once(tasks: &Tasks) {
    let (hits, free) = ([Hits::default(), Hits::default(), Hits::default()], Arc::new(Semaphore::new(0)));
    let mut addrs = Vec::new();
    for counted in hits.clone() {
        addrs.push(copy(tasks, held(counted, free.clone())).await.addr());
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

/// Answers requests once there is a permit for each.
fn held(hits: Hits, free: Arc<Semaphore>) -> Router {
    let answer = move || {
        hits.hit();
        let free = free.clone();
        async move { free.acquire().await.expect("never closed").forget() }
    };
    Router::new().route("/v1/echo/{id}", any(answer))
}

/// A gateway before one copy of a component that no other test asks for.
async fn before_counted(tasks: &Tasks, router: Router, policy: Policy) -> TestGateway {
    let copy = copy(tasks, router).await;
    let routes = vec![Route { component: COUNTED, ..patient("GET", "/v1/echo/{id}") }];
    let tuning = Tuning { policy: Some(policy), routes: Some(routes), ..Tuning::default() };
    TestGateway::tuned(Upstream::Cluster(cluster_named(COUNTED, &[copy.addr()])), tuning).await
}

/// Each is sent twice. The second try answers, then the first, then neither as it should; the last client leaves before any does.
async fn four_hedged_requests(tasks: &Tasks) {
    let hits = Hits::default();
    let counted = hits.clone();
    let answer = move || {
        let hits = counted.clone();
        async move {
            match hits.hit() {
                1 | 4 | 7 | 8 => std::future::pending().await,
                // Not before the second try has come.
                3 => {
                    hits.reach(4).await;
                    StatusCode::OK
                }
                5 => {
                    hits.reach(6).await;
                    StatusCode::SERVICE_UNAVAILABLE
                }
                6 => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::OK,
            }
        }
    };
    let hedge = HedgeOptions { after: HumanDuration::from_millis(100), extra: Ratio::new(1.0) };
    let policy = Policy { attempts: Some(1), hedge: Some(hedge), ..Policy::default() };
    let router = Router::new().route("/v1/echo/{id}", any(answer));
    let fixture = before_counted(tasks, router, policy).await;
    for (status, tries) in [(200, 2), (200, 4), (503, 6)] {
        assert_eq!((get(fixture.addr, "/v1/echo/7").await.status, hits.count()), (status, tries));
    }
    let mut client = RawConnection::open(fixture.addr).await;
    client.send(request("GET", "/v1/echo/7", "", b"")).await;
    until("both tries are out", || hits.count() == 8).await;
    drop(client);
}

/// The second is refused.
async fn two_requests_where_one_may_be_under_way(tasks: &Tasks) {
    let (hits, free) = (Hits::default(), Arc::new(Semaphore::new(0)));
    let one = AdaptiveConcurrencyOptions { initial: 1, max: 1, queue: 1, ..Default::default() };
    let policy = Policy { adaptive_concurrency: Some(one), ..Policy::default() };
    let fixture = before_counted(tasks, held(hits.clone(), free.clone()), policy).await;
    let addr = fixture.addr;
    let visit =
        tasks.spawn("test.visit", ShutdownPolicy::Drain, async move { get(addr, "/v1/echo/7").await });
    until("one is under way", || hits.count() == 1).await;
    assert_eq!(get(addr, "/v1/echo/7").await.code(), "concurrency_limited");
    free.add_permits(1);
    assert_eq!(visit.await.expect("no panic").expect("not cut").status, 200);
}

/// Of their copies, of which one may be under way, the first is answered, the second dropped meanwhile; the third breaks
/// off, and for the fourth there is no endpoint. `counted` is how many ended so.
async fn four_requests_with_copies(tasks: &Tasks, counted: impl Fn(&str) -> Option<f64>) {
    let (copies, free) = (Hits::default(), Arc::new(Semaphore::new(0)));
    let (seen, released) = (copies.clone(), free.clone());
    let answer = move |headers: HeaderMap| {
        let (copies, free) = (seen.clone(), released.clone());
        async move {
            if !headers.contains_key("x-cleave-mirror") {
                return Body::empty();
            }
            if copies.hit() == 1 {
                free.acquire().await.expect("never closed").forget();
                return Body::empty();
            }
            let broken = Err::<Bytes, _>(std::io::Error::other("lost the rest"));
            Body::from_stream(futures_util::stream::iter([broken]))
        }
    };
    let copy = copy(tasks, Router::new().route("/v1/echo/{id}", any(answer))).await;
    let cluster = cluster_of(&[copy.addr()]);
    let mirror = Some(Mirror { component: COUNTED, percent: 100, at_once: 1 });
    let route = Route { mirror, ..patient("GET", "/v1/echo/{id}") };
    let tuning = Tuning { routes: Some(vec![route]), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster.clone()), tuning).await;
    let answered = async || get(fixture.addr, "/v1/echo/7").await.status;

    assert_eq!(answered().await, 200);
    until("the first copy", || copies.count() == 1).await;
    assert_eq!((answered().await, counted("dropped")), (200, Some(1.0)));
    assert_eq!(counted("answered"), None, "the first is under way");
    free.add_permits(1);
    until("the first has been answered", || counted("answered") == Some(1.0)).await;
    assert_eq!(answered().await, 200);
    until("the third has failed", || counted("failed") == Some(1.0)).await;
    cluster.update(Vec::new());
    assert_eq!((answered().await, counted("no_endpoint")), (503, Some(1.0)));
    assert_eq!((counted("dropped"), copies.count()), (Some(1.0), 2), "each copy ended once");
}
