//! What is tried again, on whom, and who pays for it.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use gateway::Upstream;
use policy::Policy;
use policy::breaker::BreakerOptions;
use policy::budget::BudgetOptions;
use runtime::Tasks;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::fixture::{Hits, TestGateway, Tuning, bounded, cluster_of, copy, echo, listen, refusing_addr};
use crate::raw_client::{exchange, get, post, request};

/// Three tries, paid for, and a breaker that stays out of the way.
fn three_tries() -> Tuning {
    let never = BreakerOptions { minimum: u32::MAX, ..BreakerOptions::default() };
    let policy = Policy {
        attempts: Some(3),
        budget: Some(BudgetOptions::default()),
        breaker: Some(never),
        ..Policy::default()
    };
    Tuning { policy: Some(policy), ..Tuning::default() }
}

/// A component that fails the first `failures` times, then says which try it was.
fn failing(failures: usize, status: u16, hits: Hits) -> Router {
    let answer = move |headers: HeaderMap| {
        let hit = hits.hit();
        async move {
            let try_number = headers.get("x-retry-attempt").map_or("0", |v| v.to_str().unwrap_or_default());
            let status = if hit <= failures { status } else { 200 };
            (StatusCode::from_u16(status).expect("a status"), try_number.to_owned())
        }
    };
    Router::new().route("/v1/echo", any(answer.clone())).route("/v1/echo/{id}", any(answer))
}

async fn behind(router: Router, tuning: Tuning) -> (TestGateway, Tasks) {
    let tasks = Tasks::new();
    let copy = copy(&tasks, router).await;
    (TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await, tasks)
}

#[tokio::test]
async fn a_refused_connection_is_tried_elsewhere_even_for_a_write() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let alive = copy(&tasks, echo(hits.clone())).await;
    // Whichever is picked first, every request is answered by the one that lives.
    for round in 0..10 {
        let (_taken, refusing) = refusing_addr();
        let upstream = Upstream::Cluster(cluster_of(&[refusing, alive.addr()]));
        let fixture = TestGateway::tuned(upstream, three_tries()).await;
        let answer = post(fixture.addr, "/v1/echo", "", b"hello").await;
        assert_eq!((answer.status, &answer.json()["body"]), (200, &json!("hello")), "round {round}");
        assert_eq!(hits.count(), round + 1, "and answered once");
    }
}

#[tokio::test]
async fn a_long_upload_survives_a_refused_connection() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let alive = copy(&tasks, echo(hits.clone())).await;
    let body = vec![b'x'; 1 << 20];
    for _ in 0..10 {
        let (_taken, refusing) = refusing_addr();
        let fixture =
            TestGateway::tuned(Upstream::Cluster(cluster_of(&[refusing, alive.addr()])), three_tries()).await;
        let answer = post(fixture.addr, "/v1/large", "", &body).await;
        assert_eq!((answer.status, &answer.json()["length"]), (200, &json!(1 << 20)));
    }
}

#[tokio::test]
async fn reads_and_keyed_writes_are_repeated_and_bare_writes_are_not() {
    for (method, path, fields, status, tries) in [
        ("GET", "/v1/echo/7", "", 200, 2),
        ("POST", "/v1/echo", "idempotency-key: k1\r\n", 200, 2),
        ("POST", "/v1/echo", "", 503, 1),
        // A key that does not reach the component makes nothing repeatable.
        ("POST", "/v1/echo", "idempotency-key: k1\r\nconnection: idempotency-key\r\n", 503, 1),
    ] {
        let hits = Hits::default();
        let (fixture, _tasks) = behind(failing(1, 503, hits.clone()), three_tries()).await;
        let answer = exchange(fixture.addr, request(method, path, fields, b"")).await;
        assert_eq!((answer.status, hits.count()), (status, tries), "{method} {fields}");
        // A header names the try that the component sees, so that it does not retry on our behalf.
        assert_eq!(answer.body, (tries - 1).to_string().as_bytes());
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_refused_and_not_ignored() {
    let hits = Hits::default();
    let (fixture, _tasks) = behind(failing(1, 503, hits.clone()), three_tries()).await;
    for keys in [
        &b"idempotency-key: cl\xc3\xa9\r\n"[..],
        b"idempotency-key: \xff\r\n",
        b"idempotency-key:\r\n",
        b"idempotency-key: a\tb\r\n",
        b"idempotency-key: one\r\nidempotency-key: two\r\n",
    ] {
        let raw =
            [&b"POST /v1/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n"[..], keys, b"\r\nx"].concat();
        let answer = exchange(fixture.addr, &raw).await;
        let text = String::from_utf8_lossy(keys);
        assert_eq!((answer.status, answer.code().as_str()), (400, "key_invalid"), "{text}");
    }
    let long = format!("idempotency-key: {}\r\n", "k".repeat(129));
    assert_eq!(post(fixture.addr, "/v1/echo", &long, b"x").await.code(), "key_invalid");
    assert_eq!(hits.count(), 0);
}

#[tokio::test]
async fn an_error_of_the_component_is_an_answer() {
    let hits = Hits::default();
    let (fixture, _tasks) = behind(failing(1, 500, hits.clone()), three_tries()).await;
    assert_eq!((get(fixture.addr, "/v1/echo/7").await.status, hits.count()), (500, 1));
}

#[tokio::test]
async fn tries_are_counted_and_the_last_answer_is_passed_on() {
    let hits = Hits::default();
    let (fixture, _tasks) = behind(failing(usize::MAX, 503, hits.clone()), three_tries()).await;
    assert_eq!((get(fixture.addr, "/v1/echo/7").await.status, hits.count()), (503, 3));
}

#[tokio::test]
async fn when_everything_fails_the_budget_bounds_the_storm() {
    let hits = Hits::default();
    let (fixture, _tasks) = behind(failing(usize::MAX, 503, hits.clone()), three_tries()).await;
    let started = runtime::clock::now();
    let requests = 300;
    for _ in 0..requests {
        assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 503);
    }
    let seconds = (runtime::clock::now() - started).as_secs() as usize + 1;
    let retries = hits.count() - requests;
    // 10 % of the requests, the floor of 1/s x 10 s, and another 1/s for as long as it took.
    let most = requests / 10 + 10 + seconds;
    assert!(retries <= most, "{retries} retries, at most {most}");
    assert!(retries >= requests / 10, "{retries} retries: what was earned may be spent");
}

#[tokio::test]
async fn a_write_that_may_have_happened_is_not_repeated() {
    // Takes the request and hangs up without a word.
    let listener = listen().await;
    let (addr, hits, tasks) = (listener.local_addr().expect("bound"), Hits::default(), Tasks::new());
    let counted = hits.clone();
    tasks.spawn("test.hang-up", runtime::ShutdownPolicy::Cancel, async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = [0; 4_096];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                counted.hit();
            }
        }
    });
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[addr])), three_tries()).await;
    let answer = post(fixture.addr, "/v1/echo", "", b"x").await;
    assert_eq!((answer.status, answer.code().as_str(), hits.count()), (502, "connection_lost", 1));
    let answer = post(fixture.addr, "/v1/echo", "idempotency-key: k\r\n", b"x").await;
    assert_eq!((answer.status, hits.count()), (502, 1 + 3), "with a key it is");
}

#[tokio::test]
async fn a_stale_connection_fails_no_request() {
    // Answers one request per connection and closes it without having announced that.
    let listener = listen().await;
    let (addr, tasks) = (listener.local_addr().expect("bound"), Tasks::new());
    tasks.spawn("test.fickle", runtime::ShutdownPolicy::Cancel, async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = [0; 4_096];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.expect("writes");
            }
        }
    });
    let policy = Policy { attempts: Some(1), ..Policy::default() };
    let fixture = TestGateway::tuned(
        Upstream::Cluster(cluster_of(&[addr])),
        Tuning { policy: Some(policy), ..Tuning::default() },
    )
    .await;
    for n in 0..50 {
        let answer = bounded("an answer", get(fixture.addr, "/v1/echo/7")).await;
        assert_eq!(answer.status, 200, "request {n}, without a single retry allowed");
    }
}
