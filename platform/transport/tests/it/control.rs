//! Where the lab puts faults, and the door they bite at.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use contract::Carrier;
use fault::control::{HitCounts, LeaseStatus, PutLeases};
use fault::{LeaseTable, Match};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use transport::Network;

use crate::pair::{GREETER, Pair, TOKEN, lease, put};

async fn ask(router: &Router, method: Method, path: &str, token: &str, body: String) -> Response<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-cleave-token", token)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("a request");
    router.clone().oneshot(request).await.expect("routers do not fail")
}

async fn json<T: serde::de::DeserializeOwned>(response: Response<Body>) -> T {
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&response.into_body().collect().await.expect("whole").to_bytes())
        .expect("its JSON")
}

#[tokio::test]
async fn leases_come_and_go_by_http() {
    let table = Arc::new(LeaseTable::new());
    let router = transport::control::router(table.clone(), Network::loopback(), TOKEN.into());
    let slow = lease("greeter", "do = \"delay\"\nby = \"1ms\"", Match::default());
    let body = |ttl_ms| {
        serde_json::to_string(&PutLeases { leases: vec![slow.clone()], ttl_ms, age_ms: 0 })
            .expect("plain data")
    };

    let closed = ask(&router, Method::PUT, "/control/leases", "guess", body(3_000)).await;
    assert_eq!(closed.status(), StatusCode::UNAUTHORIZED);
    assert!(table.is_empty());
    let endless = ask(&router, Method::PUT, "/control/leases", TOKEN, body(3_600_000)).await;
    assert_eq!(endless.status(), StatusCode::BAD_REQUEST);
    assert!(table.is_empty());

    let listed: Vec<LeaseStatus> =
        json(ask(&router, Method::PUT, "/control/leases", TOKEN, body(30_000)).await).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].lease, slow);
    // As long as any is granted for: it does not lapse while this goes on.
    assert!((1..=30_000).contains(&listed[0].left_ms), "{}", listed[0].left_ms);
    let again: Vec<LeaseStatus> =
        json(ask(&router, Method::GET, "/control/leases", TOKEN, String::new()).await).await;
    assert_eq!(again.len(), 1);
    let hits: HitCounts = json(ask(&router, Method::GET, "/control/hits", TOKEN, String::new()).await).await;
    assert_eq!(hits.hits, [("test".to_owned(), 0)]);

    let ended = ask(&router, Method::DELETE, "/control/leases/test", TOKEN, String::new()).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    assert!(table.is_empty());
    let twice = ask(&router, Method::DELETE, "/control/leases/test", TOKEN, String::new()).await;
    assert_eq!(twice.status(), StatusCode::NOT_FOUND);
}

/// A component's public face: one route, behind its door.
fn face(pair: &Pair) -> Router {
    let hello = || async { runtime::scope::component().to_string() };
    Router::new().route("/v1/greetings/{name}", get(hello)).layer(pair.there.server_layer(GREETER))
}

async fn get_greeting(router: &Router, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().uri("/v1/greetings/ada");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router
        .clone()
        .oneshot(request.body(Body::empty()).expect("a request"))
        .await
        .expect("routers do not fail")
}

#[tokio::test]
async fn public_routes_run_in_the_components_scope() {
    let pair = Pair::start(Carrier::Local).await;
    let response = get_greeting(&face(&pair), &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.into_body().collect().await.expect("whole").to_bytes(), "greeter");
}

#[tokio::test]
async fn late_requests_stay_outside() {
    let pair = Pair::start(Carrier::Local).await;
    let response = get_greeting(&face(&pair), &[("x-deadline-ms", "0")]).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn a_components_faults_bite_at_its_public_face_as_well() {
    let pair = Pair::start(Carrier::Local).await;
    let on_route = Match::default().on_route("GET /v1/greetings/{name}");
    put(&pair.component_faults, lease("greeter", "do = \"abort\"\nstatus = 503", on_route));
    assert_eq!(get_greeting(&face(&pair), &[]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    pair.greet(&crate::pair::patient()).await.expect("the call has another route");
}
