//! The operator's side: tables replaced while serving, and what may not be done without the token.

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use gateway::{Route, RouteTable, Upstream};
use runtime::{ShutdownPolicy, Tasks};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::drain::Visitors;
use crate::fixture::{
    Hits, PHOTO, TOKEN, TestGateway, bounded, cluster_of, copy, echo, patient, routes, until,
};
use crate::raw_client::{Answer, exchange, get, request};

pub async fn change(fixture: &TestGateway, method: &str, path: &str, body: &Value) -> Answer {
    let fields = format!("x-cleave-token: {TOKEN}\r\ncontent-type: application/json\r\n");
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    exchange(fixture.admin, request(method, path, &fields, &body)).await
}

fn table(routes: Vec<Route>) -> Value {
    serde_json::to_value(RouteTable { routes }).expect("plain data")
}

#[tokio::test]
async fn a_new_table_holds_for_new_requests_and_the_old_one_for_those_inside() {
    let (tasks, inside, free) = (Tasks::new(), Hits::default(), Arc::new(Notify::new()));
    let (counted, released) = (inside.clone(), free.clone());
    let held = move || {
        counted.hit();
        let released = released.clone();
        async move {
            released.notified().await;
            "as before"
        }
    };
    let copy =
        copy(&tasks, Router::new().route("/v1/echo/{id}", any(held)).route("/v1/new", any("new"))).await;
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[copy.addr()]))).await;
    let addr = fixture.addr;
    let waiting =
        tasks.spawn("test.inside", ShutdownPolicy::Drain, async move { get(addr, "/v1/echo/7").await });
    until("the request inside", || inside.count() == 1).await;

    let answer = change(&fixture, "PUT", "/routes", &table(vec![patient("GET", "/v1/new")])).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "rev": 2 })));
    assert_eq!(get(fixture.addr, "/v1/echo/8").await.status, 404);
    assert_eq!(get(fixture.addr, "/v1/new").await.body, b"new");
    free.notify_one();
    let answer = bounded("the one inside", waiting).await.expect("no panic").expect("not cut");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"as before"[..]));

    let pools = get(fixture.admin, "/pools").await.json();
    assert_eq!(
        pools["photo"][0]["connects"], 2,
        "pools outlive tables: two at once, and no more since: {pools}"
    );
}

#[tokio::test]
async fn tables_are_replaced_under_load_without_a_failed_request() {
    let tasks = Tasks::new();
    let copy = copy(&tasks, echo(Hits::default())).await;
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[copy.addr()]))).await;
    let visitors = Visitors::start(&tasks, fixture.addr);
    for n in 0..100_u64 {
        // Every other table is the first with another route before all others.
        let mut replaced = routes();
        if n % 2 == 0 {
            replaced.insert(0, patient("GET", "/v1/new"));
        }
        let answer = change(&fixture, "PUT", "/routes", &table(replaced)).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "rev": n + 2 })));
        // Eight may have been inside before it: the ninth came after.
        let before = visitors.served.count();
        until("a request that finds this table", || visitors.served.count() > before + 8).await;
    }
    visitors.stop();
    visitors.left().await;
}

#[tokio::test]
async fn an_invalid_table_changes_nothing_and_reports_all_mistakes() {
    let fixture = TestGateway::open(Upstream::Local(echo(Hits::default()))).await;
    let mut bad = vec![Route::new("GET", "/call/x", PHOTO), Route::new("GTE", "/v1/x", PHOTO)];
    bad.push(Route::new("GET", "/v1/y", contract::ComponentName::of("fed")));
    let answer = change(&fixture, "PUT", "/routes", &table(bad)).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "table_invalid"));
    let places: Vec<_> =
        answer.json()["errors"].as_array().expect("a list").iter().map(|e| e["at"].clone()).collect();
    assert_eq!(places, ["routes[0].path", "routes[1].method", "routes[2].component"]);
    let typo = json!({ "routes": [{ "path": "/v1/x", "component": "photo", "dedline_ms": 5 }] });
    assert_eq!(change(&fixture, "PUT", "/routes", &typo).await.status, 422);
    assert_eq!(get(fixture.admin, "/routes").await.json()["rev"], 1);
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200);
}

#[tokio::test]
async fn the_last_eight_tables_are_kept_to_go_back_to() {
    let fixture = TestGateway::open(Upstream::Local(echo(Hits::default()))).await;
    for _ in 2..=10 {
        let only = table(vec![Route::new("GET", "/v1/broken", PHOTO)]);
        assert_eq!(change(&fixture, "PUT", "/routes", &only).await.status, 200);
    }
    let kept: Vec<u64> = (3..=10).collect();
    assert_eq!(get(fixture.admin, "/routes").await.json()["kept"], json!(kept));
    let answer = change(&fixture, "POST", "/routes/rollback/1", &Value::Null).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "table_not_kept"));

    assert_eq!(change(&fixture, "PUT", "/routes", &table(routes())).await.json()["rev"], 11);
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200);
    assert_eq!(change(&fixture, "POST", "/routes/rollback/10", &Value::Null).await.json()["rev"], 12);
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 404);
}

#[tokio::test]
async fn changes_need_the_token_and_looking_does_not() {
    let fixture = TestGateway::open(Upstream::Local(echo(Hits::default()))).await;
    let changes = [("PUT", "/routes"), ("POST", "/routes/rollback/1"), ("PUT", "/keys"), ("POST", "/drain")];
    for (method, path) in changes {
        for fields in ["", "x-cleave-token: wrong\r\n", "x-cleave-token: the-run's-toker\r\n"] {
            let answer = exchange(fixture.admin, request(method, path, fields, b"")).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "token_required"),
                "{method} {path} {fields}"
            );
        }
    }
    for path in ["/routes", "/keys", "/clusters", "/breakers", "/pools", "/healthz", "/readyz"] {
        assert_eq!(get(fixture.admin, path).await.status, 200, "{path}");
        assert_eq!(get(fixture.addr, path).await.status, 404, "{path} is not public");
    }
    assert!(fixture.gateway.is_ready());
    assert_eq!(change(&fixture, "POST", "/drain", &Value::Null).await.status, 200);
    assert_eq!(get(fixture.admin, "/readyz").await.status, 503);
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.field("connection"), Some("close"));
}
