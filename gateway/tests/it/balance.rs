//! Who is asked, and who is left alone.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use futures_util::future::join_all;
use gateway::Upstream;
use policy::breaker::BreakerOptions;
use policy::{Balance, Policy};
use runtime::{ShutdownPolicy, Tasks};
use tokio::sync::Semaphore;

use crate::fixture::{Hits, PHOTO, TestGateway, Tuning, cluster_of, copy, echo, options, until};
use crate::raw_client::{get, post};

fn answering(status: StatusCode, hits: Hits) -> Router {
    let answer = move || {
        hits.hit();
        std::future::ready(status)
    };
    Router::new().route("/v1/echo/{id}", any(answer))
}

/// Requests at once.
const ROUND: usize = 8;

fn tuned(policy: Policy) -> Tuning {
    let never = BreakerOptions { minimum: u32::MAX, ..BreakerOptions::default() };
    Tuning { policy: Some(Policy { breaker: Some(never), ..policy }), ..Tuning::default() }
}

#[tokio::test]
async fn a_replica_that_fails_fast_is_no_black_hole() {
    let tasks = Tasks::new();
    let (all, bad) = (Hits::default(), Hits::default());
    // The bad copy answers at once, the others when the last request of a round has come.
    let router = |is_bad: bool| {
        let (all, bad) = (all.clone(), bad.clone());
        let answer = move || {
            let (all, bad) = (all.clone(), bad.clone());
            async move {
                let hit = all.hit();
                if is_bad {
                    bad.hit();
                    return StatusCode::INTERNAL_SERVER_ERROR;
                }
                all.reach(hit.next_multiple_of(ROUND)).await;
                StatusCode::OK
            }
        };
        Router::new().route("/v1/echo/{id}", any(answer))
    };
    let copies = [
        copy(&tasks, router(true)).await,
        copy(&tasks, router(false)).await,
        copy(&tasks, router(false)).await,
    ];
    let cluster = cluster_of(&copies.map(|copy| copy.addr()));
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster), tuned(Policy::default())).await;
    let mut failed = 0;
    for _ in 0..40 {
        let answers = join_all((0..ROUND).map(|_| get(fixture.addr, "/v1/echo/7"))).await;
        failed += answers.iter().filter(|answer| answer.status == 500).count();
    }
    assert_eq!((failed, all.count()), (bad.count(), 40 * ROUND));
    // A third would be blind luck; by latency alone it would be nearly all. Counted as slow,
    // it loses every draw of two after its first failures.
    assert!(failed <= 32, "{failed} of 320");
}

#[tokio::test]
async fn five_failures_in_a_row_are_enough() {
    let (tasks, bad, good) = (Tasks::new(), Hits::default(), Hits::default());
    let copies = [
        copy(&tasks, answering(StatusCode::INTERNAL_SERVER_ERROR, bad.clone())).await,
        copy(&tasks, answering(StatusCode::OK, good.clone())).await,
    ];
    let policy = Policy { balance: Some(Balance::RoundRobin), ..Policy::default() };
    let cluster = cluster_of(&copies.map(|copy| copy.addr()));
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster), tuned(policy)).await;
    let started = runtime::clock::now();
    for _ in 0..40 {
        get(fixture.addr, "/v1/echo/7").await;
    }
    // Turn by turn it would be 20. Out for 3 s after five, and each time for longer; should the test take as long, five more.
    let returns = (runtime::clock::now() - started).as_secs() as usize / 3;
    assert!((5..=5 * (returns + 1)).contains(&bad.count()), "{}", bad.count());
    let clusters = get(fixture.admin, "/clusters").await.json();
    let ejections = clusters["photo"][0]["ejections"].as_u64().expect("a number") as usize;
    assert!((1..=1 + returns).contains(&ejections), "{clusters}");
}

#[tokio::test]
async fn one_copy_of_three_that_fails_is_ejected_and_the_others_have_as_much_as_each_other() {
    let tasks = Tasks::new();
    let hits = [Hits::default(), Hits::default(), Hits::default()];
    let [bad, left, right] = &hits;
    let copies = [
        copy(&tasks, answering(StatusCode::INTERNAL_SERVER_ERROR, bad.clone())).await,
        copy(&tasks, answering(StatusCode::OK, left.clone())).await,
        copy(&tasks, answering(StatusCode::OK, right.clone())).await,
    ];
    let policy = Policy { balance: Some(Balance::RoundRobin), attempts: Some(1), ..Policy::default() };
    let cluster = cluster_of(&copies.map(|copy| copy.addr()));
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster), tuned(policy)).await;
    let mut failed = 0;
    for _ in 0..90 {
        failed += usize::from(get(fixture.addr, "/v1/echo/7").await.status == 500);
    }
    let clusters = get(fixture.admin, "/clusters").await.json();
    let ejections = clusters["photo"][0]["ejections"].as_u64().expect("a number") as usize;
    // Out after five; back 3 s later, should the test take so long, for five more.
    assert!((1..=failed / 5).contains(&ejections), "{failed} failed: {clusters}");
    assert_eq!(failed, bad.count(), "each failure is the bad copy's");
    let (left, right) = (left.count(), right.count());
    assert_eq!(failed + left + right, 90);
    // Its turns go to each in turn: a difference of one each time it goes or comes back.
    assert!(left.abs_diff(right) <= 2 + 2 * ejections, "{left} and {right}: {clusters}");
}

#[tokio::test]
async fn what_is_asked_for_decides_which_copy_answers_it() {
    let tasks = Tasks::new();
    let hits = [Hits::default(), Hits::default(), Hits::default()];
    let mut addrs = Vec::new();
    for counted in &hits {
        addrs.push(copy(&tasks, answering(StatusCode::OK, counted.clone())).await.addr());
    }
    let cluster = cluster_of(&addrs);
    let policy = Policy { balance: Some(Balance::BoundedHash), ..Policy::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster.clone()), tuned(policy)).await;
    for photo in 0..24 {
        let before = hits.each_ref().map(Hits::count);
        for _ in 0..3 {
            assert_eq!(get(fixture.addr, &format!("/v1/echo/{photo}")).await.status, 200);
            // One that is still under way would be a copy's share of two.
            let idle = || cluster.endpoints().iter().all(|endpoint| endpoint.load.inflight() == 0);
            until("the end of the request", idle).await;
        }
        let asked: Vec<usize> = hits.iter().zip(before).map(|(hits, before)| hits.count() - before).collect();
        assert!(asked.contains(&3), "photo {photo}: {asked:?}");
    }
    assert!(hits.iter().all(|hits| hits.count() > 0), "each copy has some of the 24");
}

#[tokio::test]
async fn an_edge_that_mostly_fails_is_left_alone() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let copy = copy(&tasks, answering(StatusCode::INTERNAL_SERVER_ERROR, hits.clone())).await;
    let breaker = BreakerOptions { minimum: 10, ..BreakerOptions::default() };
    let policy = Policy { breaker: Some(breaker), ..Policy::default() };
    let tuning = Tuning { policy: Some(policy), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
    for _ in 0..10 {
        assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 500);
    }
    let answer = get(fixture.addr, "/v1/echo/7").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "circuit_open"));
    let wait: u64 = answer.field("retry-after").expect("when to come back").parse().expect("seconds");
    assert!((1..=5).contains(&wait), "open for 5 s: {wait}");
    assert_eq!(hits.count(), 10);
    assert_eq!(get(fixture.admin, "/breakers").await.json()["photo"]["breaker"], "open");
}

#[tokio::test]
async fn a_full_gateway_refuses_at_once() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let (counted, released) = (hits.clone(), free.clone());
    let held = move || {
        counted.hit();
        let released = released.clone();
        async move { released.acquire().await.expect("never closed").forget() }
    };
    let copy = copy(&tasks, Router::new().route("/v1/echo/{id}", any(held))).await;
    let mut options = options();
    (options.admit.limit, options.admit.queue) = (2, 0);
    let tuning = Tuning { options: Some(options), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
    let addr = fixture.addr;
    let visit =
        || tasks.spawn("test.visit", ShutdownPolicy::Drain, async move { get(addr, "/v1/echo/7").await });
    let inside = [visit(), visit()];
    until("two inside", || hits.count() == 2).await;

    let refused = get(addr, "/v1/echo/7").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert_eq!(refused.field("retry-after"), Some("1"));
    free.add_permits(3);
    for visit in inside {
        assert_eq!(visit.await.expect("no panic").expect("not cut").status, 200);
    }
    assert_eq!(get(addr, "/v1/echo/7").await.status, 200, "places come back");
}

#[tokio::test]
async fn a_cluster_without_endpoints_is_unavailable() {
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[]))).await;
    let answer = get(fixture.addr, "/v1/echo/7").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_endpoint"));
}

#[tokio::test]
async fn faults_of_the_gateways_edges_act_below_its_policies() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let copy = copy(&tasks, echo(hits.clone())).await;
    let faults = Arc::new(fault::LeaseTable::new());
    let options = gateway::Options { faults: faults.clone(), ..options() };
    let tuning = Tuning { options: Some(options), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
    let lease = serde_json::json!({
        "id": "once", "fault": { "do": "abort", "status": 503 }, "target": format!("gateway->{PHOTO}"),
        "matching": { "first": 1 },
    });
    let lease = serde_json::from_value(lease).expect("a lease");
    faults.put(lease, Duration::from_secs(60), runtime::clock::now_ns()).expect("room");
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200, "the retry rides over one abort");
    assert_eq!(hits.count(), 1, "which the component never saw");

    let lease = serde_json::json!({
        "id": "all", "fault": { "do": "abort", "status": 503 }, "target": format!("gateway->{PHOTO}"),
    });
    let lease = serde_json::from_value(lease).expect("a lease");
    faults.put(lease, Duration::from_secs(60), runtime::clock::now_ns()).expect("room");
    let answer = post(fixture.addr, "/v1/echo", "", b"x").await;
    assert_eq!((answer.status, answer.code().as_str(), hits.count()), (503, "fault_injected", 1));
}
