//! Every key of `[policy."gateway->x"]` does at the gateway what it does between components.
//!
//! `attempts` and `budget` are in `retries`, `breaker` and `balance` in `balance`; `fallback`
//! is refused by the reader of scenarios, since the gateway does not read replies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get as on_get};
use bytes::Bytes;
use contract::{Carrier, ComponentName};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use gateway::Upstream;
use policy::{EdgePattern, Policy};
use runtime::{Tasks, clock};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use transport::serve::Server;
use transport::{CallRouter, CallRouterOptions, Clusters};

use crate::fixture::{
    Hits, PHOTO, TOKEN, TestGateway, Tuning, bounded, cluster_of, copy, echo, options, until,
};
use crate::raw_client::{RawConnection, exchange, get, post, request};

fn policy(keys: Value) -> Policy {
    serde_json::from_value(keys).expect("a policy")
}

fn tuning(keys: Value) -> Tuning {
    Tuning { policy: Some(policy(keys)), ..Tuning::default() }
}

async fn gateway_before(tasks: &Tasks, router: Router, keys: Value) -> TestGateway {
    let copy = copy(tasks, router).await;
    TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning(keys)).await
}

/// Never answers the first request, and every other with the number of its try.
fn silent_at_first(hits: Hits) -> Router {
    let answer = move |headers: HeaderMap| {
        let hit = hits.hit();
        async move {
            if hit == 1 {
                std::future::pending::<()>().await;
            }
            headers
                .get("x-retry-attempt")
                .map_or_else(|| "0".to_owned(), |n| n.to_str().unwrap_or_default().to_owned())
        }
    };
    Router::new()
        .route("/v1/echo/{id}", any(answer.clone()))
        .route("/v1/echo", any(answer.clone()))
        .route("/v1/large", any(answer))
}

#[tokio::test]
async fn timeout_ends_a_try_and_the_component_learns_of_it() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let keys = json!({ "timeout": "2s", "attempts": 2, "backoff": "0s" });
    let fixture = gateway_before(&tasks, silent_at_first(hits.clone()), keys).await;
    let answer = get(fixture.addr, "/v1/echo/7").await;
    assert_eq!((answer.status, answer.body.as_slice(), hits.count()), (200, &b"1"[..], 2));

    let keys = json!({ "timeout": "15s", "attempts": 1 });
    let fixture = gateway_before(&tasks, echo(Hits::default()), keys).await;
    let left = get(fixture.addr, "/v1/echo/7").await.json()["fields"]["x-deadline-ms"].clone();
    let left: u64 = left.as_str().expect("a deadline").parse().expect("milliseconds");
    assert!((1..=15_000).contains(&left), "{left} of 30,000 ms: the earlier of the request's and the try's");
}

#[tokio::test]
async fn backoff_and_jitter_keep_tries_apart() {
    for (jitter, least_ms) in [("none", 120), ("equal", 60)] {
        let (tasks, hits) = (Tasks::new(), Hits::default());
        let failing = || async { StatusCode::SERVICE_UNAVAILABLE };
        let counted = hits.clone();
        let router = Router::new().route(
            "/v1/echo/{id}",
            any(move || {
                counted.hit();
                failing()
            }),
        );
        let keys = json!({ "attempts": 3, "backoff": "40ms", "jitter": jitter });
        let fixture = gateway_before(&tasks, router, keys).await;
        let started = clock::now();
        assert_eq!((get(fixture.addr, "/v1/echo/7").await.status, hits.count()), (503, 3));
        // 40 and 80 ms between three tries; half of it at least where the jitter is equal.
        assert!(clock::now() - started >= Duration::from_millis(least_ms), "{jitter}");
    }
}

#[tokio::test]
async fn without_a_deadline_the_component_does_not_learn_how_long_its_client_waits() {
    for (deadline, expected) in [(true, 1..=15_000), (false, 20_000..=30_000)] {
        let tasks = Tasks::new();
        let remote = copy(&tasks, echo(Hits::default())).await;
        for upstream in
            [Upstream::Cluster(cluster_of(&[remote.addr()])), Upstream::Local(echo(Hits::default()))]
        {
            let fixture = TestGateway::tuned(upstream, tuning(json!({ "deadline": deadline }))).await;
            let asked = request("GET", "/v1/echo/7", "x-deadline-ms: 15000\r\n", b"");
            let answer = exchange(fixture.addr, asked).await.json();
            let left = answer["fields"]["x-deadline-ms"].as_str().expect("a deadline").parse::<u64>();
            assert!(expected.contains(&left.expect("milliseconds")), "{deadline}: {answer}");
        }
    }
}

/// A component whose work waits to be released, behind the server's side of transport.
struct Detachable {
    calls: CallRouter,
    server: Server,
    begun: Hits,
    done: Hits,
    release: Arc<Notify>,
}

impl Detachable {
    async fn start(tasks: &Tasks, policies: Vec<(EdgePattern, Policy)>) -> Self {
        let calls = CallRouter::new(CallRouterOptions {
            carrier: Carrier::Json,
            clusters: Clusters::new(),
            policies,
            faults: Arc::default(),
            token: TOKEN.into(),
            services: std::collections::BTreeMap::new(),
            schema: 1,
            copy: "photo#0".into(),
            hosts: vec![PHOTO],
            seed: 42,
        });
        let (begun, done, release) = (Hits::default(), Hits::default(), Arc::new(Notify::new()));
        let (starts, ends, released) = (begun.clone(), done.clone(), release.clone());
        let work = move || {
            let (starts, ends, released) = (starts.clone(), ends.clone(), released.clone());
            async move {
                starts.hit();
                released.notified().await;
                ends.hit();
            }
        };
        let router = Router::new().route("/v1/echo/{id}", on_get(work)).layer(calls.server_layer(PHOTO));
        Self { calls, server: copy(tasks, router).await, begun, done, release }
    }
}

#[tokio::test]
async fn cancel_decides_whether_work_continues_without_its_client() {
    for (cancel, done) in [("propagate", 0), ("detach", 1)] {
        let tasks = Tasks::new();
        let edge: EdgePattern = "gateway->photo".parse().expect("an edge");
        let keys = json!({ "cancel": cancel });
        let component = Detachable::start(&tasks, vec![(edge, policy(keys.clone()))]).await;
        let cluster = cluster_of(&[component.server.addr()]);
        let fixture = TestGateway::tuned(Upstream::Cluster(cluster), tuning(keys)).await;
        let mut client = RawConnection::open(fixture.addr).await;
        client.send(request("GET", "/v1/echo/7", "", b"")).await;
        until("the work has begun", || component.begun.count() == 1).await;
        drop(client);
        until("the gateway has hung up", || component.server.connections() == 0).await;
        component.release.notify_one();
        component.calls.detached().finish(Duration::from_secs(10)).await;
        assert_eq!(component.done.count(), done, "{cancel}");
    }
}

#[tokio::test]
async fn a_bulkhead_and_an_adaptive_limit_are_full_until_the_answer_has_ended() {
    for (keys, code) in [
        (json!({ "bulkhead": 1 }), "bulkhead_full"),
        (json!({ "adaptive_concurrency": { "initial": 1, "max": 1, "queue": 1 } }), "concurrency_limited"),
    ] {
        let (tasks, gate) = (Tasks::new(), Arc::new(Semaphore::new(0)));
        let router = Router::new().route("/v1/echo/{id}", any(halves(gate.clone())));
        let fixture = gateway_before(&tasks, router, keys).await;
        let mut first = RawConnection::open(fixture.addr).await;
        first.send(request("GET", "/v1/echo/7", "", b"")).await;
        first.receive_head().await;
        let refused = get(fixture.addr, "/v1/echo/7").await;
        assert_eq!((refused.status, refused.code().as_str()), (503, code), "the answer has only begun");
        assert_eq!(refused.field("retry-after"), Some("1"));
        gate.add_permits(2);
        assert!(first.receive(false).await.expect("the rest").whole);
        bounded("the place is free again", async {
            while get(fixture.addr, "/v1/echo/7").await.status != 200 {
                gate.add_permits(1);
            }
        })
        .await;
    }
}

/// Answers with two halves, the second once there is a permit.
fn halves(gate: Arc<Semaphore>) -> impl Fn() -> BoxFuture<'static, Body> + Clone + Send + Sync + 'static {
    move || {
        let gate = gate.clone();
        async move {
            let halves = futures_util::stream::iter([false, true]);
            Body::from_stream(futures_util::StreamExt::then(halves, move |last| {
                let gate = gate.clone();
                async move {
                    if last {
                        gate.acquire().await.expect("never closed").forget();
                    }
                    Ok::<_, std::io::Error>(Bytes::from_static(b"half"))
                }
            }))
        }
        .boxed()
    }
}

/// Sixteen requests at once: how many were answered. Whatever else became of them is that they found no place.
async fn get_at_once(addr: SocketAddr) -> usize {
    let answers = join_all((0..16).map(|_| get(addr, "/v1/echo/7"))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(refused.iter().all(|answer| answer.code() == "concurrency_limited"), "{refused:?}");
    answers.len() - refused.len()
}

#[tokio::test]
async fn an_adaptive_limit_falls_while_the_component_is_slow_and_rises_again() {
    let (tasks, faults) = (Tasks::new(), Arc::new(fault::LeaseTable::new()));
    let copy = copy(&tasks, echo(Hits::default())).await;
    let keys = json!({
        "attempts": 1,
        "adaptive_concurrency": { "initial": 16, "max": 16, "queue": 2, "window": "1ms" },
    });
    let options = gateway::Options { faults: faults.clone(), ..options() };
    let tuning = Tuning { options: Some(options), ..tuning(keys) };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
    let limit = || async {
        let breakers = get(fixture.admin, "/breakers").await.json();
        breakers["photo"]["concurrency_limit"].as_u64().expect("the policy has one")
    };
    let delay = |id: &str, by: &str| {
        let target = format!("{}->{PHOTO}", ComponentName::GATEWAY);
        let fault = json!({ "do": "delay", "by": by });
        let lease = serde_json::from_value(json!({ "id": id, "fault": fault, "target": target }));
        faults.put(lease.expect("a lease"), Duration::from_secs(60), clock::now_ns()).expect("room");
    };
    // Long enough for requests that are sent at once to be under way at once.
    delay("work", "5ms");
    // More windows than the average begins with: it knows how long an answer takes.
    for _ in 0..40 {
        get_at_once(fixture.addr).await;
    }
    delay("slow", "100ms");
    // A delay of many times what an answer takes: half of the limit and a queue of 2, so that it goes on to 4.
    bounded("a lower limit", async {
        while limit().await > 8 {
            get_at_once(fixture.addr).await;
        }
    })
    .await;
    faults.end("slow");
    bounded("a higher limit", async {
        while limit().await < 12 {
            get_at_once(fixture.addr).await;
        }
    })
    .await;
    fixture.gateway.reset_edges();
    assert_eq!(limit().await, 16, "as before the first request");
}

#[tokio::test]
async fn a_second_try_overtakes_a_slow_first() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let keys = json!({ "attempts": 1, "hedge": { "after": "20ms", "extra": "100%" } });
    let fixture = gateway_before(&tasks, silent_at_first(hits.clone()), keys).await;
    let answer = get(fixture.addr, "/v1/echo/7").await;
    assert_eq!((answer.status, hits.count()), (200, 2));
    assert_eq!(answer.body, b"64", "the second try is marked, so that it is not retried");
}

#[tokio::test]
async fn what_must_not_or_cannot_be_sent_twice_is_not_hedged() {
    let long = vec![b'x'; 100_000];
    for (path, fields, body) in
        [("/v1/echo", "", &b"write"[..]), ("/v1/large", "idempotency-key: k\r\n", long.as_slice())]
    {
        let (tasks, hits) = (Tasks::new(), Hits::default());
        let keys = json!({ "attempts": 1, "hedge": { "after": "20ms", "extra": "100%" }, "timeout": "1s" });
        let fixture = gateway_before(&tasks, silent_at_first(hits.clone()), keys).await;
        // Fifty times the delay of a hedge, and nothing else was sent.
        assert_eq!(post(fixture.addr, path, fields, body).await.status, 504, "{path}");
        assert_eq!(hits.count(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_component_that_turns_requests_away_is_asked_less() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let counted = hits.clone();
    let router = Router::new().route(
        "/v1/echo/{id}",
        any(move || {
            counted.hit();
            async { StatusCode::SERVICE_UNAVAILABLE }
        }),
    );
    let keys = json!({ "attempts": 1, "throttle": { "k": 1.0, "window": "120s", "probe": "1%" } });
    let fixture = gateway_before(&tasks, router, keys).await;
    let mut held_back = 0;
    for _ in 0..100 {
        let answer = get(fixture.addr, "/v1/echo/7").await;
        assert_eq!(answer.status, 503);
        held_back += usize::from(answer.code() == "throttled");
    }
    assert_eq!(hits.count() + held_back, 100);
    // The n-th is sent with probability 1/n, at least 1 %: about six of a hundred.
    assert!((1..=30).contains(&hits.count()), "{}", hits.count());
}

#[tokio::test]
async fn a_component_whose_clients_leave_is_asked_no_less() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let counted = hits.clone();
    let silent = move || {
        counted.hit();
        std::future::pending::<()>()
    };
    let router = Router::new().route("/v1/echo/{id}", any(silent));
    let keys = json!({ "attempts": 1, "throttle": { "k": 1.0, "window": "120s", "probe": "1%" } });
    let fixture = gateway_before(&tasks, router, keys).await;
    for number in 1..=20 {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(request("GET", "/v1/echo/7", "", b"")).await;
        // Held back, it would be answered, and the component not asked.
        bounded("the component is asked", hits.reach(number)).await;
        drop(line);
        until("the request is gone", || fixture.gateway_connections() == 0).await;
    }
}

#[tokio::test]
async fn a_reset_connection_is_the_same_failure_as_between_components() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let copy = copy(&tasks, echo(hits.clone())).await;
    for (kind, status, code) in [
        (json!({ "do": "reset" }), 502, "connection_lost"),
        (json!({ "do": "abort", "status": 503 }), 503, "fault_injected"),
    ] {
        let faults = Arc::new(fault::LeaseTable::new());
        let options = gateway::Options { faults: faults.clone(), ..options() };
        let tuning = Tuning {
            policy: Some(policy(json!({ "attempts": 1 }))),
            options: Some(options),
            ..Tuning::default()
        };
        let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
        let target = format!("{}->{PHOTO}", ComponentName::GATEWAY);
        let lease = json!({ "id": "one", "fault": kind, "target": target });
        let lease = serde_json::from_value(lease).expect("a lease");
        faults.put(lease, Duration::from_secs(60), clock::now_ns()).expect("room");
        let answer = get(fixture.addr, "/v1/echo/7").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    assert_eq!(hits.count(), 0);
}
