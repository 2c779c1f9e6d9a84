//! Many clients at one gateway: a flood of one of them waits behind itself.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use contract::{Principal, Refusal};
use futures_util::FutureExt;
use gateway::{Options, Route, Upstream};
use policy::gcra::Quota;
use policy::{ClientLimits, ClientOptions};
use runtime::Tasks;
use tokio::sync::Semaphore;
use transport::{Cluster, pool};

use crate::fixture::{Hits, PHOTO, TestGateway, Tuning, copy, instances, options, patient, until};
use crate::raw_client::{RawConnection, get, request};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Longer than any test waits: what is held is not answered in it.
const LONG_NS: u64 = 3_600 * 1_000_000_000;

const LIMITS: ClientLimits = ClientLimits {
    in_flight: 2,
    in_flight_failing: 1,
    waiting: 3,
    streams: 2,
    body_bytes: u64::MAX,
    failures: Quota { burst: 5, interval_ns: LONG_NS },
    longest_hold_ns: LONG_NS,
};

/// A token is `Bearer`, and the number of its account.
fn authorize(fields: &HeaderMap) -> Result<Principal, Refusal> {
    let token = fields.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let account = token.and_then(|token| token.parse().ok()).ok_or_else(Refusal::unauthenticated)?;
    Ok(Principal::new(account))
}

/// A gateway with these limits, in front of a component that answers `/v1/echo` when `answers` has a permit for it,
/// `/v1/status` at once, and `/v1/slow` never.
struct Door {
    fixture: TestGateway,
    hits: Hits,
    answers: Arc<Semaphore>,
    _tasks: Tasks,
}

async fn door(clients: ClientOptions) -> Door {
    door_through(clients, pool::Options::default()).await
}

/// The same, with such a pool of connections to the component.
async fn door_through(clients: ClientOptions, pool: pool::Options) -> Door {
    let (tasks, hits, answers) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let (counted, permits) = (hits.clone(), answers.clone());
    let held = move || {
        let (hits, permits) = (counted.clone(), permits.clone());
        async move {
            hits.hit();
            permits.acquire().await.expect("never closed").forget();
            "answered"
        }
    };
    let status = |axum::extract::Path(code): axum::extract::Path<u16>| async move {
        (StatusCode::from_u16(code).expect("a status"), "the reason")
    };
    let router = Router::new()
        .route("/v1/echo/{id}", any(held))
        .route("/v1/status/{code}", any(status))
        .route("/v1/slow", any(std::future::pending::<()>));
    let copy = copy(&tasks, router).await;
    let options = Options { clients, authorize: Some(Arc::new(authorize)), ..options() };
    // Only what never answers has a short one.
    let slow = Route { deadline_ms: 200, ..Route::new("GET", "/v1/slow", PHOTO) };
    let routes = vec![patient("GET", "/v1/echo/{id}"), patient("GET", "/v1/status/{code}"), slow];
    let tuning = Tuning { options: Some(options), routes: Some(routes), ..Tuning::default() };
    let cluster = Cluster::new(PHOTO, pool);
    cluster.update(instances(&[copy.addr()]));
    let fixture = TestGateway::tuned(Upstream::Cluster(Arc::new(cluster)), tuning).await;
    Door { fixture, hits, answers, _tasks: tasks }
}

fn by_account() -> ClientOptions {
    ClientOptions { account: Some(LIMITS), ..ClientOptions::default() }
}

impl Door {
    /// A request that has been sent and is not answered yet.
    async fn asked(&self, path: &str, fields: &str) -> RawConnection {
        let mut line = RawConnection::open(self.fixture.addr).await;
        line.send(request("GET", path, fields, b"")).await;
        line
    }

    async fn status(&self, path: &str, fields: &str) -> u16 {
        self.asked(path, fields).await.receive(false).await.expect("an answer").status
    }
}

#[tokio::test]
async fn a_flood_of_an_account_waits_behind_itself() {
    let door = door(by_account()).await;
    let one = "authorization: Bearer 1\r\n";
    let mut flood = Vec::new();
    for _ in 0..2 {
        flood.push(door.asked("/v1/echo/7", one).await);
    }
    door.hits.reach(2).await;
    for _ in 0..3 {
        flood.push(door.asked("/v1/echo/7", one).await);
    }
    // Another account, and one without a token.
    assert_eq!(door.status("/v1/status/200", "authorization: Bearer 2\r\n").await, 200);
    assert_eq!(door.status("/v1/status/200", "").await, 200);
    assert_eq!(door.status("/v1/status/200", one).await, 200, "nor does it wait for anything else");
    assert_eq!(door.hits.count(), 2, "two at once");
    door.answers.add_permits(5);
    for line in &mut flood {
        assert_eq!(line.receive(false).await.expect("an answer").status, 200);
    }
    assert_eq!(door.status("/v1/status/200", one).await, 200);
}

#[tokio::test]
async fn failures_of_a_client_are_answered_at_their_rate_and_successes_at_once() {
    let door = door(by_account()).await;
    let hasty = "authorization: Bearer 1\r\nx-deadline-ms: 5\r\n";
    for _ in 0..5 {
        assert_eq!(door.status("/v1/slow", hasty).await, 504);
    }
    let mut held = door.asked("/v1/slow", hasty).await;
    for (path, account, status) in [
        ("/v1/status/200", 1, 200),
        ("/v1/status/404", 1, 404),
        // Nothing of this has been its own doing.
        ("/v1/slow", 2, 504),
        ("/v1/status/422", 2, 422),
    ] {
        let token = format!("authorization: Bearer {account}\r\n");
        assert_eq!(door.status(path, &token).await, status, "{path} of account {account}");
    }
    assert_eq!(get(door.fixture.addr, "/v1/status/422").await.status, 422, "no account");
    assert!(held.receive(false).now_or_never().is_none(), "its turn is in an hour");
}

#[tokio::test]
async fn an_answer_that_is_held_back_keeps_no_connection_to_the_component() {
    let door = door_through(by_account(), pool::Options { max_connections: 1, ..Default::default() }).await;
    let failing = "authorization: Bearer 1\r\n";
    for _ in 0..5 {
        assert_eq!(door.status("/v1/status/422", failing).await, 422);
    }
    let mut held = door.asked("/v1/status/422", failing).await;
    for _ in 0..20 {
        assert_eq!(door.status("/v1/status/200", "authorization: Bearer 2\r\n").await, 200);
    }
    assert!(held.receive(false).now_or_never().is_none(), "its turn is in an hour");
}

#[tokio::test]
async fn an_answer_that_was_held_back_is_whole() {
    let soon = ClientLimits { longest_hold_ns: 1, ..LIMITS };
    let door = door(ClientOptions { account: Some(soon), ..ClientOptions::default() }).await;
    for _ in 0..8 {
        let mut line = door.asked("/v1/status/422", "authorization: Bearer 1\r\n").await;
        let answer = line.receive(false).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice(), answer.whole), (422, &b"the reason"[..], true));
    }
}

#[tokio::test]
async fn a_client_that_keeps_leaving_is_served_one_at_a_time() {
    let door = door(by_account()).await;
    let one = "authorization: Bearer 1\r\n";
    for n in 1..=6 {
        let leaving = door.asked("/v1/echo/7", one).await;
        door.hits.reach(n).await;
        drop(leaving);
    }
    until("all have left", || door.fixture.gateway_connections() == 0).await;
    let mut served = door.asked("/v1/echo/7", one).await;
    door.hits.reach(7).await;
    let mut second = door.asked("/v1/echo/8", one).await;
    // Another route of the same account, and the same of another account.
    assert_eq!(door.status("/v1/status/200", one).await, 200);
    assert_eq!(door.status("/v1/status/200", "authorization: Bearer 2\r\n").await, 200);
    assert_eq!(door.hits.count(), 7, "the second waits for the first");
    door.answers.add_permits(20);
    assert_eq!(served.receive(false).await.expect("an answer").status, 200);
    assert_eq!(second.receive(false).await.expect("its turn").status, 200);
}

#[tokio::test]
async fn a_flood_of_an_address_keeps_no_other_waiting() {
    let door = door(ClientOptions { address: Some(LIMITS), ..ClientOptions::default() }).await;
    let mut flood = Vec::new();
    for account in 0..2 {
        flood.push(door.asked("/v1/echo/7", &format!("authorization: Bearer {account}\r\n")).await);
    }
    door.hits.reach(2).await;
    for _ in 0..3 {
        flood.push(door.asked("/v1/echo/7", "").await);
    }
    let mut elsewhere = RawConnection::open_from(ELSEWHERE, door.fixture.addr).await;
    elsewhere.send(request("GET", "/v1/status/200", "", b"")).await;
    assert_eq!(elsewhere.receive(false).await.expect("an answer").status, 200);
    assert_eq!(door.hits.count(), 2);
    door.answers.add_permits(5);
    for line in &mut flood {
        assert_eq!(line.receive(false).await.expect("an answer").status, 200);
    }
}
