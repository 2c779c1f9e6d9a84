//! Routes that ask for an API key.

use gateway::{Route, Upstream};
use serde_json::json;

use crate::admin::change;
use crate::fixture::{Hits, TestGateway, Tuning, echo, patient};
use crate::raw_client::{Answer, exchange, get, request};

pub const KEY: &str = "0123456789abcdef";
const OTHER: &str = "fedcba9876543210";

/// Two routes that ask for a key, and one that does not.
pub fn keyed() -> Tuning {
    let keyed = |method, path| Route { api_key: true, ..patient(method, path) };
    let open = patient("GET", "/v1/status/{code}");
    Tuning {
        routes: Some(vec![keyed("GET", "/v1/echo/{id}"), keyed("POST", "/v1/echo"), open]),
        ..Tuning::default()
    }
}

pub async fn ask_with(fixture: &TestGateway, key: &str) -> Answer {
    exchange(fixture.addr, request("GET", "/v1/echo/7", &format!("x-api-key: {key}\r\n"), b"")).await
}

#[tokio::test]
async fn a_route_that_asks_for_a_key_is_for_those_that_have_one() {
    let hits = Hits::default();
    let fixture = TestGateway::tuned(Upstream::Local(echo(hits.clone())), keyed()).await;
    assert_eq!(ask_with(&fixture, KEY).await.status, 401, "closed as long as there are no keys");
    let keys = json!({ "keys": { "report": KEY, "import": OTHER } });
    let answer = change(&fixture, "PUT", "/keys", &keys).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "keys": ["import", "report"] })));

    for wrong in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0"] {
        let answer = ask_with(&fixture, wrong).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "api_key_required"), "{wrong}");
        assert_eq!(answer.field("www-authenticate"), Some("ApiKey"));
    }
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 401);
    assert_eq!(exchange(fixture.addr, request("POST", "/v1/echo", "", b"a body")).await.status, 401);
    assert_eq!(hits.count(), 0, "no component is asked");

    for right in [KEY, OTHER] {
        let answer = ask_with(&fixture, right).await;
        assert_eq!(answer.status, 200);
        let fields = answer.json()["fields"].clone();
        assert!(fields["x-deadline-ms"].is_string() && fields["x-api-key"].is_null(), "{fields}");
    }
    assert_eq!(get(fixture.addr, "/v1/status/201").await.status, 201, "another route asks for none");
}

#[tokio::test]
async fn keys_are_replaced_all_at_once_and_never_shown() {
    let fixture = TestGateway::tuned(Upstream::Local(echo(Hits::default())), keyed()).await;
    assert_eq!(change(&fixture, "PUT", "/keys", &json!({ "keys": { "report": KEY } })).await.status, 200);
    let bad = json!({ "keys": { "Report": OTHER, "short": &KEY[1..] } });
    let answer = change(&fixture, "PUT", "/keys", &bad).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "keys_invalid"));
    let errors = answer.json()["errors"].clone();
    assert_eq!((&errors[0]["at"], &errors[1]["at"]), (&json!("keys.Report"), &json!("keys.short")));
    let text = errors.to_string();
    assert!(!text.contains(OTHER) && !text.contains(&KEY[1..]), "{text}");
    assert_eq!(ask_with(&fixture, KEY).await.status, 200, "nothing has changed");

    assert_eq!(change(&fixture, "PUT", "/keys", &json!({ "keys": { "import": OTHER } })).await.status, 200);
    assert_eq!(ask_with(&fixture, KEY).await.status, 401);
    assert_eq!(ask_with(&fixture, OTHER).await.status, 200);
    assert_eq!(get(fixture.admin, "/keys").await.json(), json!({ "keys": ["import"] }));
}
