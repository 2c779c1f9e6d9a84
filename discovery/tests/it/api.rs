//! The registry's API, called with plain HTTP.

use std::net::SocketAddr;

use discovery::Instance;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::test_registry::{LEASE, PHOTO, TOKEN_HEADER, TestRegistry, instance, with_timeout};

/// One request on one connection: status and JSON.
pub async fn ask(addr: SocketAddr, line: &str, token: &str, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{line} HTTP/1.1\r\nhost: registry\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-cleave-token: {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    with_timeout("an answer", stream.read_to_string(&mut answer)).await.expect("reads");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

pub async fn put(addr: SocketAddr, instance: &Instance) -> u16 {
    let body = serde_json::to_value(instance.announcement()).expect("plain data");
    ask(addr, &format!("PUT {}", path(instance)), TOKEN_HEADER, &body).await.0
}

fn path(instance: &Instance) -> String {
    format!("/v1/services/{}/instances/{}", instance.service, instance.id)
}

#[tokio::test]
async fn changes_need_the_token_and_reading_does_not() {
    let server = TestRegistry::begin();
    let photo = instance(PHOTO, "p", 1, 4001);
    let body = json!({ "addr": photo.addr, "epoch": 1 });
    for (line, body) in [
        (format!("PUT {}", path(&photo)), &body),
        (format!("POST {}/renew", path(&photo)), &json!({ "epoch": 1 })),
        (format!("POST {}/drain", path(&photo)), &json!({ "epoch": 1 })),
        (format!("DELETE {}", path(&photo)), &Value::Null),
        ("POST /v1/renew".to_owned(), &json!({ "leases": [] })),
    ] {
        for token in ["", "wrong"] {
            let (status, answer) = ask(server.addr, &line, token, body).await;
            assert_eq!((status, &answer["error"]["code"]), (401, &json!("token_required")), "{line}");
        }
    }
    let (status, answer) = ask(server.addr, "GET /v1/services", "", &Value::Null).await;
    assert_eq!((status, &answer["instances"]), (200, &json!([])));
}

#[tokio::test]
async fn of_two_epochs_the_later_is_served_and_the_earlier_is_refused() {
    let server = TestRegistry::begin();
    let (old, new) = (instance(PHOTO, "p", 1, 4001), instance(PHOTO, "p", 2, 4002));
    assert_eq!(put(server.addr, &old).await, 200);
    assert_eq!(put(server.addr, &new).await, 200);
    let renew = format!("POST {}/renew", path(&old));
    let (status, answer) = ask(server.addr, &renew, TOKEN_HEADER, &json!({ "epoch": 1 })).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("not_registered")));
    assert_eq!(put(server.addr, &old).await, 409);
    let (status, _) =
        ask(server.addr, &format!("DELETE {}?epoch=1", path(&old)), TOKEN_HEADER, &Value::Null).await;
    assert_eq!(status, 404);
    let (status, answer) = ask(server.addr, &renew, TOKEN_HEADER, &json!({ "epoch": 2 })).await;
    assert_eq!((status, &answer["epoch"], &answer["ttl_ms"]), (200, &json!(2), &json!(LEASE.as_millis())));
    let (_, answer) = ask(server.addr, "GET /v1/services?services=photo", "", &Value::Null).await;
    assert_eq!(answer["instances"][0]["addr"], json!("127.0.0.1:4002"));
}

#[tokio::test]
async fn nonsense_is_refused_with_a_code_and_changes_nothing() {
    let server = TestRegistry::begin();
    let path = "/v1/services/photo/instances/p";
    for (line, body, expected) in [
        (format!("PUT {path}"), json!({ "epoch": 1 }), (422, "body_invalid")),
        (
            format!("PUT {path}"),
            json!({ "epoch": 1, "addr": "127.0.0.1:1", "wieght": 2 }),
            (422, "body_invalid"),
        ),
        (format!("PUT {path}"), json!({ "epoch": 1, "addr": "0.0.0.0:80" }), (422, "addr_invalid")),
        (format!("PUT {path}"), json!({ "epoch": 1, "addr": "127.0.0.1:0" }), (422, "addr_invalid")),
        ("PUT /v1/services/a%20b/instances/p".into(), json!({}), (400, "path_invalid")),
        ("GET /v1/services?services=a%20b".into(), Value::Null, (400, "query_invalid")),
    ] {
        let (status, answer) = ask(server.addr, &line, TOKEN_HEADER, &body).await;
        assert_eq!((status, answer["error"]["code"].as_str().unwrap_or_default()), expected, "{line} {body}");
    }
    assert_eq!(server.registry.snapshot().rev.0, 0);
}

/// The watch as lines of text.
async fn watch(addr: SocketAddr, query: &str, last: &str) -> impl AsyncBufReadExt + Unpin {
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    let request = format!("GET /v1/watch{query} HTTP/1.1\r\nhost: registry\r\nlast-event-id: {last}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    BufReader::new(stream)
}

/// Reads on to the next event of the watch: its kind, id and data.
async fn next(lines: &mut (impl AsyncBufReadExt + Unpin)) -> (String, String, Value) {
    let (mut kind, mut id) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        with_timeout("a line", lines.read_line(&mut line)).await.expect("reads");
        if let Some(value) = line.strip_prefix("event: ") {
            kind = value.trim().to_owned();
        } else if let Some(value) = line.strip_prefix("id: ") {
            id = value.trim().to_owned();
        } else if let Some(value) = line.strip_prefix("data: ") {
            return (kind, id, serde_json::from_str(value).expect("JSON"));
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_left() {
    let server = TestRegistry::begin();
    let mut first = watch(server.addr, "?services=photo", "").await;
    let (kind, id, data) = next(&mut first).await;
    assert_eq!((kind.as_str(), &data["instances"]), ("snapshot", &json!([])));
    drop(first);

    let feed = instance(crate::test_registry::FEED, "f", 1, 4000);
    assert_eq!(put(server.addr, &feed).await, 200);
    assert_eq!(put(server.addr, &instance(PHOTO, "p", 1, 4001)).await, 200);
    let mut second = watch(server.addr, "?services=photo", &id).await;
    let (kind, id, data) = next(&mut second).await;
    assert_eq!((kind.as_str(), data["put"][0]["id"].as_str()), ("delta", Some("p")), "feed is not watched");
    assert!(id.ends_with("-2"), "{id} is the second revision");

    // Another life of the registry, a revision of the future, garbage: start over.
    for last in ["1-1", &id.replace("-2", "-99"), "garbage"] {
        let (kind, _, data) = next(&mut watch(server.addr, "", last).await).await;
        assert_eq!(
            (kind.as_str(), data["instances"].as_array().map(Vec::len)),
            ("snapshot", Some(2)),
            "{last}"
        );
    }
}

#[tokio::test]
async fn an_idle_watch_gives_signs_of_server() {
    let server = TestRegistry::begin();
    let mut lines = watch(server.addr, "", "").await;
    next(&mut lines).await;
    let mut comments = 0;
    while comments < 2 {
        let mut line = String::new();
        with_timeout("a heartbeat", lines.read_line(&mut line)).await.expect("reads");
        comments += usize::from(line.starts_with(':'));
    }
}
