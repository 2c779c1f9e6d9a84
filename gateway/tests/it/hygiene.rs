//! What a client can and cannot make the door say.

use gateway::Upstream;
use serde_json::json;

use crate::fixture::{Hits, TestGateway, Tuning, bounded, cluster_of, copy, echo, options, routes};
use crate::raw_client::{RawConnection, exchange, request};

async fn fixture(hits: &Hits) -> (TestGateway, runtime::Tasks) {
    let tasks = runtime::Tasks::new();
    let copy = copy(&tasks, echo(hits.clone())).await;
    (TestGateway::open(Upstream::Cluster(cluster_of(&[copy.addr()]))).await, tasks)
}

/// The same, whose routes take no content.
async fn reading(hits: &Hits) -> (TestGateway, runtime::Tasks) {
    let tasks = runtime::Tasks::new();
    let copy = copy(&tasks, echo(hits.clone())).await;
    let mut routes = routes();
    routes.iter_mut().for_each(|route| route.max_body = 0);
    let tuning = Tuning { routes: Some(routes), ..Tuning::default() };
    (TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await, tasks)
}

#[tokio::test]
async fn forged_claims_are_replaced_by_ours() {
    let (fixture, _tasks) = fixture(&Hits::default()).await;
    let forged = "x-cleave-principal: 0000000000007\r\nx-cleave-token: guess\r\nx-cleave-caller: feed\r\n\
                  x-cleave-anything: 1\r\nx-forwarded-for: 10.1.2.3\r\nforwarded: for=10.1.2.3\r\n\
                  x-forwarded-host: evil\r\nx-forwarded-prefix: /evil\r\nx-retry-attempt: 2\r\nx-cleave-request: 00000000000000a1\r\n\
                  authorization: Bearer t\r\n";
    let answer = exchange(fixture.addr, request("GET", "/v1/echo/7", forged, b"")).await;
    let fields = &answer.json()["fields"];
    assert_eq!(fields["x-forwarded-for"], "127.0.0.1");
    assert_eq!(fields["x-forwarded-host"], "cleave");
    assert_eq!(fields["x-cleave-caller"], "gateway");
    assert_eq!(fields["x-cleave-request"], "00000000000000a1", "the client's own id is taken over");
    assert_eq!(fields["authorization"], "Bearer t");
    for gone in [
        "x-cleave-principal",
        "x-cleave-token",
        "x-cleave-anything",
        "forwarded",
        "x-forwarded-prefix",
        "x-retry-attempt",
    ] {
        assert!(fields.get(gone).is_none(), "{gone}: {fields}");
    }
}

#[tokio::test]
async fn what_concerns_one_connection_ends_with_it() {
    let (fixture, _tasks) = fixture(&Hits::default()).await;
    // `Connection` also lists headers that must not be strippable after we have set them.
    let fields = "connection: close, x-forwarded-for, x-cleave-request, x-secret\r\nx-secret: 1\r\nte: trailers\r\n\
                  upgrade: websocket\r\nproxy-connection: keep-alive\r\nkeep-alive: 5\r\n";
    let mut line = RawConnection::open(fixture.addr).await;
    line.send(request("GET", "/v1/echo/7", fields, b"")).await;
    let seen = line.receive(false).await.expect("an answer").json();
    for gone in ["connection", "x-secret", "te", "upgrade", "proxy-connection", "keep-alive"] {
        assert!(seen["fields"].get(gone).is_none(), "{gone}: {seen}");
    }
    assert_eq!(seen["fields"]["x-forwarded-for"], "127.0.0.1");
    assert!(seen["fields"].get("x-cleave-request").is_some());
    assert!(line.is_closed().await, "the client asked for that");
    let pools = crate::raw_client::get(fixture.admin, "/pools").await.json();
    assert_eq!(pools["photo"][0]["idle"], 1, "and the connection behind the door was kept: {pools}");
}

#[tokio::test]
async fn ambiguous_requests_are_refused_and_the_connection_closed() {
    let hits = Hits::default();
    let (fixture, _tasks) = fixture(&hits).await;
    let close = [
        ("GET /v1/echo/7 HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, "host_invalid"),
        ("GET /v1/echo/7 HTTP/1.1\r\n\r\n", 400, "host_invalid"),
        ("GET /v1/echo/7 HTTP/1.1\r\nhost:\r\n\r\n", 400, "host_invalid"),
        ("GET /v1/echo/7 HTTP/1.1\r\nhost: a b\r\n\r\n", 400, "host_invalid"),
        ("GET /v1/echo/7 HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, "host_invalid"),
        ("GET /v1/echo/7 HTTP/1.1\r\nhost: [::1\r\n\r\n", 400, "host_invalid"),
        ("GET /v1/echo/7 HTTP/1.1\r\nhost: a:99999\r\n\r\n", 400, "host_invalid"),
        ("GET http://a..b/v1/echo/7 HTTP/1.1\r\nhost: a\r\n\r\n", 400, "host_invalid"),
        ("GET /v1/echo/a%2fb HTTP/1.1\r\nhost: a\r\n\r\n", 400, "path_invalid"),
        ("GET /v1/../v1/echo/7 HTTP/1.1\r\nhost: a\r\n\r\n", 400, "path_invalid"),
        ("GET /v1/%2e%2e/call/secret HTTP/1.1\r\nhost: a\r\n\r\n", 400, "path_invalid"),
        ("GET /v1//echo/7 HTTP/1.1\r\nhost: a\r\n\r\n", 400, "path_invalid"),
        ("GET /v1/echo/%00 HTTP/1.1\r\nhost: a\r\n\r\n", 400, "path_invalid"),
        ("GET /v1/echo/%zz HTTP/1.1\r\nhost: a\r\n\r\n", 400, "path_invalid"),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n", 405, "method_refused"),
        ("TRACE /v1/echo/7 HTTP/1.1\r\nhost: a\r\n\r\n", 405, "method_refused"),
        (
            "POST /v1/echo HTTP/1.1\r\nhost: a\r\nexpect: a pony\r\ncontent-length: 1\r\n\r\nx",
            417,
            "expectation_failed",
        ),
        // HTTP/2 is not spoken here, whatever follows.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, ""),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", 505, ""),
        // hyper's own refusals have no body.
        ("PRI * HTTP/2.0\r\n\r\n", 400, ""),
        ("GET /v1/echo/7 HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400, ""),
        ("POST /v1/echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n", 400, ""),
        ("GET /v1/echo/7 HTTP/1.1\r\nhost : a\r\n\r\n", 400, ""),
    ];
    for (raw, status, code) in close {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(raw).await;
        let answer = line.receive(false).await.expect("an answer");
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{raw}");
        assert!(line.is_closed().await, "{raw}");
    }
    assert_eq!(hits.count(), 0);
}

#[tokio::test]
async fn as_many_headers_are_taken_as_a_component_can_read() {
    let hits = Hits::default();
    let (fixture, _tasks) = fixture(&hits).await;
    // `Host` and a length are two of them, and the trace is replaced.
    let with = |count: usize| {
        let trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx-deadline-ms: 20000\r\n";
        let others: String = (4..count).map(|n| format!("x-{n}: a\r\n")).collect();
        request("POST", "/v1/echo", &format!("{trace}{others}"), b"hello")
    };
    assert_eq!(exchange(fixture.addr, with(88)).await.status, 200);
    let pools = crate::raw_client::get(fixture.admin, "/pools").await.json();
    assert_eq!(pools["photo"][0]["idle"], 1, "the connection behind the door was kept: {pools}");
    let refused = exchange(fixture.addr, with(89)).await;
    assert_eq!((refused.status, refused.code().as_str()), (431, "headers_too_many"));
    assert_eq!(hits.count(), 1);
}

#[tokio::test]
async fn what_is_unusual_and_sound_is_served() {
    let (fixture, _tasks) = fixture(&Hits::default()).await;
    let absolute =
        exchange(fixture.addr, "GET http://shop:99/v1/echo/7 HTTP/1.1\r\nhost: cleave\r\n\r\n").await;
    assert_eq!(absolute.json()["uri"], "/v1/echo/7");
    assert_eq!(absolute.json()["fields"]["x-forwarded-host"], "shop:99", "the URI outranks `Host`");

    let options = exchange(fixture.addr, "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(options.status, 204);

    let patient =
        "POST /v1/echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello";
    let answer = exchange(fixture.addr, patient).await;
    assert_eq!((answer.status, &answer.json()["body"]), (200, &json!("hello")));
    assert!(answer.json()["fields"].get("expect").is_none(), "that was between the client and us");

    let smuggled = "POST /v1/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n\
                    0\r\n\r\nGET /v1/echo/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut line = RawConnection::open(fixture.addr).await;
    line.send(smuggled).await;
    let answer = line.receive(false).await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["length"]), (200, &json!(0)));
    assert!(line.receive(false).await.is_none(), "one answer, and the connection is over");
}

#[tokio::test]
async fn the_content_of_a_read_means_nothing_and_is_no_second_request() {
    let hits = Hits::default();
    let (fixture, _tasks) = reading(&hits).await;
    let inner = "GET /v1/echo/inner HTTP/1.1\r\nhost: a\r\n\r\n";
    let length = inner.len();
    for raw in [
        format!("GET /v1/echo/7 HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{inner}"),
        format!(
            "GET /v1/echo/7 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n"
        ),
    ] {
        let before = hits.count();
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(raw + "GET /v1/echo/8 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        for id in [7, 8] {
            let answer = line.receive(false).await.expect("an answer");
            assert_eq!(answer.json()["uri"], format!("/v1/echo/{id}"));
            assert_eq!(answer.json()["length"], 0, "it is not passed on");
        }
        assert_eq!(hits.count(), before + 2);
    }
    let large = "GET /v1/echo/7 HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
    assert_eq!(exchange(fixture.addr, large).await.status, 413);
    // In pieces, of which the last one never comes: 16 of 4 KiB are as much as it may have, and there is a byte more.
    let pieces = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(16);
    let head = "GET /v1/echo/7 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(exchange(fixture.addr, format!("{head}{pieces}1\r\nx\r\n")).await.status, 413);
}

#[tokio::test]
async fn a_trace_is_taken_over() {
    let (fixture, _tasks) = fixture(&Hits::default()).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let fields = format!("traceparent: {trace}\r\n");
    let seen = exchange(fixture.addr, request("GET", "/v1/echo/7", &fields, b"")).await.json();
    let passed_on = seen["fields"]["traceparent"].as_str().expect("a trace");
    assert_eq!(passed_on[..35], trace[..35], "the same trace, with another parent span");
    let seen =
        exchange(fixture.addr, request("GET", "/v1/echo/7", "traceparent: nonsense\r\n", b"")).await.json();
    assert_ne!(seen["fields"]["traceparent"], "nonsense");
}

#[tokio::test]
async fn a_client_that_is_limited_does_not_have_all_it_asks_for_sampled() {
    let tasks = runtime::Tasks::new();
    let copy = copy(&tasks, echo(Hits::default())).await;
    let options = gateway::Options { clients: policy::ClientOptions::new(true, true, 2), ..options() };
    let tuning = Tuning { options: Some(options), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let raw = request("GET", "/v1/echo/7", &format!("traceparent: {trace}\r\n"), b"");
    // Fifty in a second: sooner or later one is too many, however slow the machine is, where they come a hundred at a time.
    let is_dropped = async || {
        let answers = (0..100).map(|_| exchange(fixture.addr, raw.clone()));
        let answers = futures_util::future::join_all(answers).await;
        answers.iter().any(|answer| answer.status == 200 && answer.json()["fields"]["traceparent"].is_null())
    };
    bounded("a trace that is not taken over", async { while !is_dropped().await {} }).await;
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_is_passed_on_as_it_came_and_two_are_none() {
    let (fixture, _tasks) = fixture(&Hits::default()).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let field = format!("traceparent: {trace}\r\n");
    let seen = exchange(fixture.addr, request("GET", "/v1/echo/7", &field, b"")).await.json();
    assert_eq!(seen["fields"]["traceparent"], trace);
    let seen = exchange(fixture.addr, request("GET", "/v1/echo/7", &field.repeat(2), b"")).await.json();
    assert!(seen["fields"]["traceparent"].is_null());
}
