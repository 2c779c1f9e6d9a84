//! Answers that are given again, and requests that wait for each other.

mod writes;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use gateway::{CacheOptions, Options, Route, Upstream};
use policy::gcra::Quota;
use policy::{ClientLimits, ClientOptions};
use runtime::{ShutdownPolicy, Tasks};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::fixture::{Hits, PHOTO, TestGateway, Tuning, bounded, cluster_of, copy, options, until};
use crate::raw_client::{Answer, RawConnection, exchange, request};

const PATH: &str = "/v1/echo/7";
/// What most components here allow.
const KEPT: &[(&str, &str)] = &[("cache-control", "max-age=60")];

/// Another client.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Each client has one request of a route served at once, and a few may wait.
fn one_at_once() -> ClientOptions {
    let limits = ClientLimits {
        in_flight: 1,
        in_flight_failing: 1,
        waiting: 8,
        streams: 8,
        body_bytes: u64::MAX,
        failures: Quota { burst: 100, interval_ns: 1_000_000_000 },
        longest_hold_ns: 0,
    };
    ClientOptions { address: Some(limits), ..ClientOptions::default() }
}

/// What a component answers to its first, second, .. request.
fn numbered(number: usize, fields: &[(&'static str, &'static str)]) -> Response {
    let mut response = format!("answer {number}").into_response();
    for (name, value) in fields {
        response.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    response
}

/// A component that answers so.
fn component<F>(hits: &Hits, answer: F) -> Router
where
    F: Fn(usize, HeaderMap) -> Response + Clone + Send + Sync + 'static,
{
    let hits = hits.clone();
    let answered = move |fields: HeaderMap| {
        let (number, answer) = (hits.hit(), answer.clone());
        async move { answer(number, fields) }
    };
    Router::new().route("/v1/echo/{id}", any(answered))
}

/// One whose answers wait, each for a permit, from this one on.
fn held<F>(hits: &Hits, free: &Arc<Semaphore>, from: usize, answer: F) -> Router
where
    F: Fn(usize) -> Response + Clone + Send + Sync + 'static,
{
    let (hits, free) = (hits.clone(), free.clone());
    let answered = move |method: Method| {
        let (free, answer, is_write) = (free.clone(), answer.clone(), method == Method::POST);
        let number = hits.hit();
        async move {
            if number >= from && !is_write {
                free.acquire().await.expect("never closed").forget();
            }
            answer(number)
        }
    };
    Router::new().route("/v1/echo/{id}", any(answered))
}

/// One whose first answer never comes.
fn silent_at_first(hits: &Hits) -> Router {
    let hits = hits.clone();
    let answered = move || {
        let number = hits.hit();
        async move {
            if number == 1 {
                std::future::pending::<()>().await;
            }
            numbered(number, KEPT)
        }
    };
    Router::new().route("/v1/echo/{id}", any(answered))
}

/// A gateway whose reads of this component are kept, and whose requests wait for each other for as long as a test may take.
async fn open(tasks: &Tasks, component: Router, cache: CacheOptions) -> TestGateway {
    open_to(tasks, component, cache, ClientOptions::default()).await
}

/// The same, which limits its clients so.
async fn open_to(
    tasks: &Tasks,
    component: Router,
    cache: CacheOptions,
    clients: ClientOptions,
) -> TestGateway {
    let routes = vec![kept("/v1/echo/{id}"), patient("POST", "/v1/echo/{id}")];
    open_with(tasks, component, cache, routes, clients).await
}

fn patient(method: &str, path: &str) -> Route {
    Route { deadline_ms: 30_000, ..Route::new(method, path, PHOTO) }
}

/// Reads whose answers are kept.
fn kept(path: &str) -> Route {
    Route { cache: true, ..patient("GET", path) }
}

async fn open_at(tasks: &Tasks, component: Router, cache: CacheOptions, routes: Vec<Route>) -> TestGateway {
    open_with(tasks, component, cache, routes, ClientOptions::default()).await
}

async fn open_with(
    tasks: &Tasks,
    component: Router,
    cache: CacheOptions,
    routes: Vec<Route>,
    clients: ClientOptions,
) -> TestGateway {
    let copy = copy(tasks, component).await;
    let response_cache = CacheOptions { longest_wait: Duration::from_secs(60), ..cache };
    let options = Options { response_cache, clients, ..options() };
    let tuning = Tuning { routes: Some(routes), options: Some(options), ..Tuning::default() };
    TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await
}

async fn ask(addr: SocketAddr, method: &str, fields: &str) -> Answer {
    exchange(addr, request(method, PATH, fields, b"")).await
}

/// The body of an answer to a request with these fields.
async fn text(fixture: &TestGateway, fields: &str) -> String {
    let answer = ask(fixture.addr, "GET", fields).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    String::from_utf8(answer.body).expect("text")
}

fn visit(tasks: &Tasks, addr: SocketAddr) -> JoinHandle<Option<Answer>> {
    tasks.spawn("test.visit", ShutdownPolicy::Drain, async move { ask(addr, "GET", "").await })
}

async fn answer_of(visit: JoinHandle<Option<Answer>>) -> Answer {
    bounded("an answer", visit).await.expect("no panic").expect("not cut")
}

#[tokio::test]
async fn what_a_component_allows_others_to_have_is_given_again() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fields = &[("cache-control", "max-age=60"), ("etag", "\"1\""), ("age", "7")];
    let fixture =
        open(&tasks, component(&hits, move |number, _| numbered(number, fields)), CacheOptions::default())
            .await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    let again = ask(fixture.addr, "GET", "").await;
    assert_eq!((again.body.as_slice(), hits.count()), (&b"answer 1"[..], 1));
    let age: u64 = again.field("age").and_then(|age| age.parse().ok()).expect("its age");
    assert!((7..60).contains(&age) && again.field("date").is_some(), "{again:?}");

    let head = ask(fixture.addr, "HEAD", "").await;
    assert_eq!((head.status, head.field("content-length"), hits.count()), (200, Some("8"), 1));
    let known = ask(fixture.addr, "GET", "if-none-match: \"1\"\r\n").await;
    assert_eq!((known.status, known.field("etag"), hits.count()), (304, Some("\"1\""), 1));
    let elsewhere = exchange(fixture.addr, request("GET", "/v1/echo/8", "", b"")).await;
    assert_eq!(elsewhere.body, b"answer 2", "another path is another answer");
    let elsewhere = exchange(fixture.addr, request("GET", "/v1/echo/7?page=2", "", b"")).await;
    assert_eq!(elsewhere.body, b"answer 3", "and so is another query");
    let stats = fixture.gateway.cache_stats();
    assert!(stats.entries == 3 && stats.bytes > 3 * 8 && stats.waiting == 0, "{stats:?}");
}

#[tokio::test]
async fn what_it_does_not_explicitly_allow_is_asked_for_each_time() {
    let answers: [&'static [(&'static str, &'static str)]; 6] = [
        &[],
        &[("cache-control", "public")],
        &[("cache-control", "private, max-age=60")],
        &[("cache-control", "no-store, max-age=60")],
        &[("cache-control", "max-age=60"), ("vary", "*")],
        &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
    ];
    for fields in answers {
        let (tasks, hits) = (Tasks::new(), Hits::default());
        let fixture = open(
            &tasks,
            component(&hits, move |number, _| numbered(number, fields)),
            CacheOptions::default(),
        )
        .await;
        assert_eq!(text(&fixture, "").await, "answer 1", "{fields:?}");
        assert_eq!(text(&fixture, "").await, "answer 2", "{fields:?}");
    }
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let short = CacheOptions { max_entry_bytes: 7, ..CacheOptions::default() };
    let fixture = open(&tasks, component(&hits, |number, _| numbered(number, KEPT)), short).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    assert_eq!(text(&fixture, "").await, "answer 2", "too long");
}

#[tokio::test]
async fn a_request_can_ask_for_another_answer_or_for_none_but_a_kept_one() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fixture =
        open(&tasks, component(&hits, |number, _| numbered(number, KEPT)), CacheOptions::default()).await;
    let only = ask(fixture.addr, "GET", "cache-control: only-if-cached\r\n").await;
    assert_eq!((only.status, only.code().as_str(), hits.count()), (504, "not_cached", 0));
    let part = ask(fixture.addr, "GET", "cache-control: only-if-cached\r\nrange: bytes=0-1\r\n").await;
    assert_eq!((part.status, part.code().as_str(), hits.count()), (504, "not_cached", 0));
    assert_eq!(text(&fixture, "cache-control: no-store\r\n").await, "answer 1");
    assert_eq!(text(&fixture, "").await, "answer 2", "that was not kept");
    assert_eq!(text(&fixture, "cache-control: only-if-cached\r\n").await, "answer 2");
    assert_eq!(text(&fixture, "cache-control: no-cache\r\n").await, "answer 3");
    assert_eq!(text(&fixture, "").await, "answer 3", "which takes the place of the one before");
    assert_eq!(
        text(&fixture, "range: bytes=0-1\r\n").await,
        "answer 4",
        "parts are the component's business"
    );
}

#[tokio::test]
async fn an_account_gets_no_kept_answer_unless_it_is_for_all() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let account = "authorization: Bearer t\r\n";
    let fixture =
        open(&tasks, component(&hits, |number, _| numbered(number, KEPT)), CacheOptions::default()).await;
    assert_eq!(text(&fixture, account).await, "answer 1");
    assert_eq!(text(&fixture, "").await, "answer 2", "an account's answer is for it alone");
    assert_eq!(text(&fixture, account).await, "answer 3");
    assert_eq!(text(&fixture, "").await, "answer 2");

    let (tasks, hits) = (Tasks::new(), Hits::default());
    let public = &[("cache-control", "public, max-age=60")];
    let fixture =
        open(&tasks, component(&hits, move |number, _| numbered(number, public)), CacheOptions::default())
            .await;
    assert_eq!(text(&fixture, account).await, "answer 1");
    assert_eq!(text(&fixture, "").await, "answer 1");
    assert_eq!(text(&fixture, "authorization: Bearer u\r\n").await, "answer 1");
}

#[tokio::test]
async fn of_answers_that_depend_on_more_and_on_less_the_last_is_given() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let answer = |number, _| match number {
        1 => numbered(number, KEPT),
        _ => numbered(number, &[("cache-control", "max-age=60"), ("vary", "accept-language")]),
    };
    let fixture = open(&tasks, component(&hits, answer), CacheOptions::default()).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    assert_eq!(text(&fixture, "cache-control: no-cache\r\n").await, "answer 2");
    assert_eq!(text(&fixture, "").await, "answer 2", "the last that came, though the first still holds");
}

#[tokio::test]
async fn answers_that_depend_on_a_field_are_kept_for_each_value() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let varied = &[("cache-control", "max-age=60"), ("vary", "Accept-Language")];
    let fixture =
        open(&tasks, component(&hits, move |number, _| numbered(number, varied)), CacheOptions::default())
            .await;
    for (language, expected) in
        [("de", "answer 1"), ("fr", "answer 2"), ("de", "answer 1"), ("fr", "answer 2")]
    {
        assert_eq!(text(&fixture, &format!("accept-language: {language}\r\n")).await, expected);
    }
    assert_eq!(text(&fixture, "").await, "answer 3");
}

#[tokio::test]
async fn a_component_is_asked_whether_a_kept_answer_still_holds() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let answer = |number: usize, fields: HeaderMap| {
        let known = fields.get("if-none-match").map(|tag| tag.as_bytes().to_vec());
        // From the third on it has changed.
        match (known.as_deref(), number) {
            (Some(b"\"1\""), 2) => {
                let mut response = StatusCode::NOT_MODIFIED.into_response();
                response.headers_mut().insert("x-confirmed", HeaderValue::from_static("1"));
                response
            }
            (Some(b"\"1\""), 3) => numbered(number, &[("cache-control", "max-age=60"), ("etag", "\"3\"")]),
            (known, _) => {
                assert_eq!(known, None);
                numbered(number, &[("cache-control", "max-age=60"), ("etag", "\"1\"")])
            }
        }
    };
    let fixture = open(&tasks, component(&hits, answer), CacheOptions::default()).await;
    // More than it ever has: it counts as stale.
    let lasting = "cache-control: min-fresh=100\r\n";
    assert_eq!(text(&fixture, "if-none-match: \"0\"\r\n").await, "answer 1", "all of it is asked for");
    assert_eq!(text(&fixture, lasting).await, "answer 1");
    assert_eq!(hits.count(), 2, "it was asked");
    let confirmed = ask(fixture.addr, "GET", "").await;
    assert_eq!((confirmed.field("x-confirmed"), hits.count()), (Some("1"), 2));
    assert_eq!(text(&fixture, lasting).await, "answer 3");
    assert_eq!(text(&fixture, "").await, "answer 3");
}

#[tokio::test]
async fn of_many_that_ask_for_the_same_one_is_sent() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let fixture =
        open(&tasks, held(&hits, &free, 1, |number| numbered(number, KEPT)), CacheOptions::default()).await;
    let visits: Vec<_> = (0..9).map(|_| visit(&tasks, fixture.addr)).collect();
    until("all but one wait", || fixture.gateway.cache_stats().waiting == 8).await;
    free.add_permits(1);
    for visit in visits {
        let answer = answer_of(visit).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"answer 1"[..]));
    }
    assert_eq!(hits.count(), 1);
}

#[tokio::test]
async fn one_that_fails_does_so_for_its_own_client() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let answer = |number: usize| {
        let mut response = numbered(number, KEPT);
        *response.status_mut() = if number == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        response
    };
    let fixture = open(&tasks, held(&hits, &free, 1, answer), CacheOptions::default()).await;
    let visits: Vec<_> = (0..9).map(|_| visit(&tasks, fixture.addr)).collect();
    until("all but one wait", || fixture.gateway.cache_stats().waiting == 8).await;
    free.add_permits(2);
    let mut statuses = Vec::new();
    for visit in visits {
        statuses.push(answer_of(visit).await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 500]);
    assert_eq!(hits.count(), 2, "one of those that waited asked for the others");
}

#[tokio::test]
async fn one_whose_client_leaves_is_replaced() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fixture = open(&tasks, silent_at_first(&hits), CacheOptions::default()).await;
    let mut leaving = RawConnection::open(fixture.addr).await;
    leaving.send(request("GET", PATH, "", b"")).await;
    until("it is inside", || hits.count() == 1).await;
    let visits: Vec<_> = (0..4).map(|_| visit(&tasks, fixture.addr)).collect();
    until("the others wait", || fixture.gateway.cache_stats().waiting == 4).await;
    drop(leaving);
    for visit in visits {
        assert_eq!(answer_of(visit).await.body, b"answer 2");
    }
    assert_eq!(hits.count(), 2);
}

#[tokio::test]
async fn no_other_client_waits_for_one_that_waits_behind_itself() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fixture = open_to(&tasks, silent_at_first(&hits), CacheOptions::default(), one_at_once()).await;
    let mut first = RawConnection::open_from(ELSEWHERE, fixture.addr).await;
    first.send(request("GET", "/v1/echo/8", "", b"")).await;
    until("it is inside", || hits.count() == 1).await;
    let mut second = RawConnection::open_from(ELSEWHERE, fixture.addr).await;
    second.send(request("GET", PATH, "", b"")).await;
    // The second has been read once this has been answered, and waits for the place of the first.
    assert_eq!(exchange(fixture.addr, request("GET", "/v1/echo/9", "", b"")).await.body, b"answer 2");
    assert_eq!(text(&fixture, "").await, "answer 3", "the same is sent for another client");
}

#[tokio::test]
async fn requests_for_what_is_not_kept_do_not_wait_for_each_other() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let private = &[("cache-control", "private")];
    let fixture =
        open(&tasks, held(&hits, &free, 2, move |number| numbered(number, private)), CacheOptions::default())
            .await;
    assert_eq!(text(&fixture, "").await, "answer 1", "after which this is known");
    let visits = [visit(&tasks, fixture.addr), visit(&tasks, fixture.addr)];
    until("both inside", || hits.count() == 3).await;
    free.add_permits(2);
    for visit in visits {
        assert_eq!(answer_of(visit).await.status, 200);
    }
}

#[tokio::test]
async fn no_more_wait_than_may_and_the_others_ask() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let few = CacheOptions { max_waiting: 1, ..CacheOptions::default() };
    let fixture = open(&tasks, held(&hits, &free, 1, |number| numbered(number, KEPT)), few).await;
    let visits: Vec<_> = (0..3).map(|_| visit(&tasks, fixture.addr)).collect();
    until("one waits and two are inside", || fixture.gateway.cache_stats().waiting == 1 && hits.count() == 2)
        .await;
    free.add_permits(2);
    for visit in visits {
        assert_eq!(answer_of(visit).await.status, 200);
    }
    assert_eq!(hits.count(), 2);
}

#[tokio::test]
async fn a_client_whose_requests_wait_leaves_room_for_those_of_another() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let few = CacheOptions { max_waiting: 2, max_waiting_per_address: 1, ..CacheOptions::default() };
    let limits = one_at_once().address.map(|limits| ClientLimits { in_flight: 2, ..limits });
    let clients = ClientOptions { address: limits, ..ClientOptions::default() };
    let fixture = open_to(&tasks, held(&hits, &free, 1, |number| numbered(number, KEPT)), few, clients).await;
    let state = || (hits.count(), fixture.gateway.cache_stats().waiting);
    let mut elsewhere = Vec::new();
    for (what, expected) in [("one asks", (1, 0)), ("one waits", (1, 1)), ("no other may wait", (2, 1))] {
        let mut connection = RawConnection::open_from(ELSEWHERE, fixture.addr).await;
        connection.send(request("GET", PATH, "", b"")).await;
        until(what, || state() == expected).await;
        elsewhere.push(connection);
    }
    let visit = visit(&tasks, fixture.addr);
    until("another client waits as well", || state() == (2, 2)).await;
    free.add_permits(2);
    assert_eq!(answer_of(visit).await.status, 200);
    assert_eq!(hits.count(), 2);
}
