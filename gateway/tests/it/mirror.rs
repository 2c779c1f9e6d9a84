//! Copies of reads, which no client waits for.

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::any;
use contract::hash::mix;
use gateway::config::Mirror;
use gateway::{Route, Upstream};
use runtime::Tasks;

use crate::fixture::{Hits, PHOTO, TestGateway, Tuning, cluster_of, copy, until};
use crate::raw_client::{exchange, get, request};

/// Counts copies and answers none of them; answers all else at once.
fn silent_to_copies(copies: Hits) -> Router {
    let answer = move |headers: HeaderMap| {
        let copies = copies.clone();
        async move {
            if headers.contains_key("x-cleave-mirror") {
                copies.hit();
                std::future::pending::<()>().await;
            }
        }
    };
    Router::new().route("/v1/echo/{id}", any(answer))
}

async fn mirrored(tasks: &Tasks, copies: Hits, percent: u8, at_once: u16) -> TestGateway {
    let copy = copy(tasks, silent_to_copies(copies)).await;
    let mirror = Some(Mirror { component: PHOTO, percent, at_once });
    let route = Route { deadline_ms: 30_000, mirror, ..Route::new("GET", "/v1/echo/{id}", PHOTO) };
    let tuning = Tuning { routes: Some(vec![route]), ..Tuning::default() };
    TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await
}

#[tokio::test]
async fn no_client_waits_for_copies_and_no_more_than_so_many_are_under_way() {
    let (tasks, copies) = (Tasks::new(), Hits::default());
    let fixture = mirrored(&tasks, copies.clone(), 100, 2).await;
    for count in [1, 2] {
        assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200);
        until("the copy", || copies.count() == count).await;
    }
    // Both hang: there is no room for more, and the clients do not notice.
    for _ in 0..20 {
        assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200);
    }
    assert_eq!(copies.count(), 2);
    let claimed = exchange(fixture.addr, request("GET", "/v1/echo/7", "x-cleave-mirror: 1\r\n", b"")).await;
    assert_eq!((claimed.status, copies.count()), (200, 2), "a client cannot claim to be a copy");
}

#[tokio::test]
async fn a_share_of_requests_is_copied_the_same_in_every_run() {
    let (tasks, copies) = (Tasks::new(), Hits::default());
    let fixture = mirrored(&tasks, copies.clone(), 30, 256).await;
    for id in 1..=64_u64 {
        let field = format!("x-cleave-request: {id:016x}\r\n");
        assert_eq!(exchange(fixture.addr, request("GET", "/v1/echo/7", &field, b"")).await.status, 200);
    }
    let expected = (1..=64_u64).filter(|id| mix(*id) % 100 < 30).count();
    assert!((1..64).contains(&expected), "{expected} of 64");
    until("the copies", || copies.count() == expected).await;
}
