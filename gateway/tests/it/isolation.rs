//! One client cannot hurt another: what it causes counts against no component, and what it is slow at holds no place.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::any;
use contract::{Principal, Refusal};
use gateway::{Options, Route, Upstream};
use policy::breaker::BreakerOptions;
use policy::gcra::Quota;
use policy::units::HumanDuration;
use policy::{ClientLimits, ClientOptions, MinimumRate, Policy};
use runtime::Tasks;
use serde_json::json;

use crate::fixture::{
    Hits, PHOTO, TestGateway, Tuning, bounded, cluster_of, copy, echo, options, routes, until,
};
use crate::raw_client::{RawConnection, exchange, get, post, request};

/// One copy of a component, which every breaker and ejection is about.
async fn behind(router: Router, tuning: Tuning) -> (TestGateway, Tasks) {
    let tasks = Tasks::new();
    let copy = copy(&tasks, router).await;
    (TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await, tasks)
}

/// The breaker as it is by default, and no retries that would multiply what it sees.
fn one_try() -> Tuning {
    let policy = Policy { attempts: Some(1), breaker: Some(BreakerOptions::default()), ..Policy::default() };
    Tuning { policy: Some(policy), ..Tuning::default() }
}

async fn circuit(fixture: &TestGateway) -> String {
    let breakers = get(fixture.admin, "/breakers").await.json();
    breakers["photo"]["breaker"].as_str().expect("a state").to_owned()
}

/// A component that never answers `/v1/slow`, sheds `/v1/echo` with a reason, and answers the rest.
fn moody(hits: Hits) -> Router {
    let shed = || async {
        ([("x-cleave-shed", "1"), ("retry-after", "1")], StatusCode::SERVICE_UNAVAILABLE).into_response()
    };
    let limited = || async { StatusCode::TOO_MANY_REQUESTS };
    Router::new()
        .route("/v1/slow", any(std::future::pending::<()>))
        .route("/v1/echo", any(|| async { ([("x-cleave-shed", "1")], StatusCode::SERVICE_UNAVAILABLE) }))
        .route("/v1/small", any(limited))
        .route("/v1/large", any(shed))
        .merge(Router::new().route(
            "/v1/echo/{id}",
            any(move || {
                hits.hit();
                async { "well" }
            }),
        ))
}

#[tokio::test]
async fn a_clients_own_deadline_opens_no_breaker() {
    let (fixture, _tasks) = behind(moody(Hits::default()), one_try()).await;
    for _ in 0..40 {
        let hurried = request("GET", "/v1/slow", "x-deadline-ms: 5\r\n", b"");
        assert_eq!(exchange(fixture.addr, hurried).await.status, 504);
    }
    assert_eq!(circuit(&fixture).await, "closed");
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200);
    // What is too slow for the route itself is the component's failure: 20 in ten seconds open. One whose time is over before the
    // component has it, as on a busy machine, is none of them.
    bounded("an open breaker", async {
        while circuit(&fixture).await != "open" {
            let patient = (0..20).map(|_| get(fixture.addr, "/v1/slow"));
            let answers = futures_util::future::join_all(patient).await;
            assert!(answers.iter().all(|answer| matches!(answer.status, 503 | 504)), "{answers:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn time_that_a_client_took_for_its_body_is_its_own() {
    let (fixture, _tasks) = behind(moody(Hits::default()), one_try()).await;
    let slow_bodies = (0..30).map(|_| async {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send("POST /v1/slow HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nx").await;
        // Most of the 200 ms of its route.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        line.send("y").await;
        line.receive(false).await.map_or(0, |answer| answer.status)
    });
    let statuses = futures_util::future::join_all(slow_bodies).await;
    // Late for the component, or on a busy machine for the gateway already.
    assert!(statuses.iter().all(|status| matches!(status, 504 | 408)), "{statuses:?}");
    assert_eq!(circuit(&fixture).await, "closed");
}

#[tokio::test]
async fn time_that_a_client_waited_behind_itself_is_its_own() {
    const AT_ONCE: u32 = 30;
    let limits = ClientLimits {
        in_flight: AT_ONCE,
        in_flight_failing: AT_ONCE,
        waiting: AT_ONCE,
        streams: AT_ONCE,
        body_bytes: u64::MAX,
        failures: Quota { burst: 1_000, interval_ns: 1 },
        longest_hold_ns: 1,
    };
    let clients = ClientOptions { address: Some(limits), ..ClientOptions::default() };
    let hits = Hits::default();
    let counted = hits.clone();
    let silent = move || {
        counted.hit();
        std::future::pending::<()>()
    };
    let slow = vec![Route { deadline_ms: 3_000, ..Route::new("GET", "/v1/slow", PHOTO) }];
    let tuning = Tuning { options: Some(Options { clients, ..options() }), routes: Some(slow), ..one_try() };
    let (fixture, _tasks) = behind(Router::new().route("/v1/slow", any(silent)), tuning).await;
    let ask = async |fields: &str| {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(request("GET", "/v1/slow", fields, b"")).await;
        line
    };
    let mut lines = Vec::new();
    for _ in 0..AT_ONCE {
        lines.push(ask("x-deadline-ms: 2700\r\n").await);
    }
    bounded("all of them at the component", hits.reach(AT_ONCE as usize)).await;
    // These get their turn when those are over: with a tenth of the time that their route gives them.
    for _ in 0..AT_ONCE {
        lines.push(ask("").await);
    }
    for line in &mut lines {
        assert_eq!(line.receive(false).await.expect("an answer").status, 504);
    }
    assert_eq!(circuit(&fixture).await, "closed");
}

#[tokio::test]
async fn what_a_component_sheds_or_limits_opens_no_breaker() {
    let (fixture, _tasks) = behind(moody(Hits::default()), one_try()).await;
    for (path, status) in [("/v1/echo", 503), ("/v1/large", 503), ("/v1/small", 429)] {
        for _ in 0..40 {
            let answer = post(fixture.addr, path, "", b"x").await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.field("x-cleave-shed"), None, "that was between the component and us");
        }
    }
    assert_eq!(circuit(&fixture).await, "closed");
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_opens_no_breaker() {
    let (fixture, _tasks) = behind(moody(Hits::default()), one_try()).await;
    for _ in 0..40 {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(request("GET", "/v1/slow", "", b"")).await;
    }
    until("all have left", || fixture.gateway_connections() == 0).await;
    assert_eq!(circuit(&fixture).await, "closed");
}

#[tokio::test]
async fn bodies_that_do_not_come_hold_no_place() {
    let tight = Options {
        admit: policy::admission::AdmissionOptions { limit: 2, queue: 0, ..Default::default() },
        ..options()
    };
    let hits = Hits::default();
    let (fixture, _tasks) =
        behind(echo(hits.clone()), Tuning { options: Some(tight), ..Tuning::default() }).await;
    let mut slow = Vec::new();
    // Short ones and long ones, with bytes under way and without.
    for (length, sent) in [(100, 0), (100, 10), (100_000, 0), (100_000, 70_000)].repeat(10) {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(format!("POST /v1/large HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")).await;
        line.send(vec![b'x'; sent]).await;
        slow.push(line);
    }
    until("all are in", || fixture.gateway_connections() == slow.len()).await;
    for n in 0..10 {
        let answer = post(fixture.addr, "/v1/large", "", &vec![b'y'; 100_000]).await;
        assert_eq!((answer.status, hits.count()), (200, n + 1), "{}", answer.code());
    }
    let answer = slow[1].receive(false).await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (408, "body_too_slow"));
}

#[tokio::test]
async fn a_body_that_drips_is_cut_long_before_its_deadline() {
    let rate = MinimumRate { grace: HumanDuration::from_millis(50), bytes_per_s: 1 << 20 };
    let strict = Options { body_rate: rate, ..options() };
    let slow = vec![Route { deadline_ms: 30_000, ..Route::new("POST", "/v1/echo", PHOTO) }];
    let tuning = Tuning { options: Some(strict), routes: Some(slow), ..Tuning::default() };
    let (fixture, _tasks) = behind(echo(Hits::default()), tuning).await;
    let mut line = RawConnection::open(fixture.addr).await;
    line.send("POST /v1/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx").await;
    // `receive` waits for twenty seconds at most; the route gives thirty.
    let answer = line.receive(false).await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (408, "body_too_slow"));
    assert!(line.is_closed().await);
}

/// A token is `Bearer good`.
fn authorize(fields: &HeaderMap) -> Result<Principal, Refusal> {
    let good = fields.get("authorization").is_some_and(|value| value == "Bearer good");
    if good { Ok(Principal::new(1)) } else { Err(Refusal::unauthenticated()) }
}

fn authenticated() -> Vec<Route> {
    let mut all = routes();
    all.iter_mut().for_each(|route| route.authenticated = true);
    all
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_will_be_taken() {
    let knowing = Options { authorize: Some(Arc::new(authorize)), ..options() };
    let hits = Hits::default();
    let tuning = Tuning { options: Some(knowing), routes: Some(authenticated()), ..Tuning::default() };
    let (fixture, _tasks) = behind(echo(hits.clone()), tuning).await;
    for (token, length, status) in [
        ("", 5, 401),
        ("authorization: Bearer bad\r\n", 5, 401),
        ("authorization: Bearer good\r\n", 9_000_000, 413),
    ] {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(format!(
            "POST /v1/large HTTP/1.1\r\nhost: a\r\n{token}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        ))
        .await;
        // Read as it comes: an interim answer would be the first.
        let head = line.first_line().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{token}{length}: {head}");
    }
    let mut line = RawConnection::open(fixture.addr).await;
    line.send("POST /v1/large HTTP/1.1\r\nhost: a\r\nauthorization: Bearer good\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n").await;
    assert_eq!(line.first_line().await, "HTTP/1.1 100 Continue");
    line.send("hello").await;
    let answer = line.receive(false).await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["body"], hits.count()), (200, &json!("hello"), 1));
}

#[tokio::test]
async fn a_refused_body_is_read_so_that_its_client_hears_of_it() {
    let tuning = Tuning { routes: Some(authenticated()), ..Tuning::default() };
    let hits = Hits::default();
    let (fixture, _tasks) = behind(echo(hits.clone()), tuning).await;
    // Where no secret is known, the component decides about a token, and none is none.
    let mut line = RawConnection::open(fixture.addr).await;
    line.send(request("POST", "/v1/large", "", &vec![b'x'; 3 << 20])).await;
    let answer = line.receive(false).await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_required"));
    assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
    line.send(request("GET", "/v1/echo/7", "", b"")).await;
    assert_eq!(line.receive(false).await.expect("on the same connection").status, 200);
    let answer = post(fixture.addr, "/v1/large", "authorization: Bearer any\r\n", b"x").await;
    assert_eq!((answer.status, hits.count()), (200, 2));
}

#[tokio::test]
async fn slow_readers_leave_the_component_to_others() {
    let tasks = Tasks::new();
    // Twice as many as the pool of an endpoint has connections.
    let readers = 2 * transport::pool::Options::default().max_connections;
    let router = Router::new()
        .route("/v1/echo/{id}", any(|| async { vec![0_u8; 8 << 20] }))
        .route("/v1/status/{code}", any(|| async { "well" }));
    let copy = copy(&tasks, router).await;
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[copy.addr()]))).await;
    let mut slow = Vec::new();
    for _ in 0..readers {
        let mut line = RawConnection::open_narrow(fixture.addr).await;
        line.send(request("GET", "/v1/echo/7", "", b"")).await;
        line.receive_head().await;
        slow.push(line);
    }
    for _ in 0..10 {
        let answer = get(fixture.addr, "/v1/status/200").await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"well"[..]));
    }
    drop(slow);
    until("all have left", || fixture.gateway_connections() == 0).await;
}
