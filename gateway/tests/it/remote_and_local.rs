//! A component in this process and one behind a socket answer alike.

use gateway::Upstream;
use runtime::Tasks;
use serde_json::json;

use crate::fixture::{Hits, TestGateway, cluster_of, copy, echo};
use crate::raw_client::{RawConnection, exchange, get, post, request};

/// The same body twice: the component behind a socket, and in this process.
async fn both(test: impl AsyncFn(TestGateway, Hits)) {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let copy = copy(&tasks, echo(hits.clone())).await;
    test(TestGateway::open(Upstream::Cluster(cluster_of(&[copy.addr()]))).await, hits).await;
    let hits = Hits::default();
    test(TestGateway::open(Upstream::Local(echo(hits.clone()))).await, hits).await;
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    both(async |fixture, _| {
        let answer = get(fixture.addr, "/v1/echo/7%20a?q=a%2Fb&n=1").await;
        assert_eq!((answer.status, answer.whole), (200, true));
        assert_eq!(answer.json()["uri"], "/v1/echo/7%20a?q=a%2Fb&n=1");
        let answer = post(fixture.addr, "/v1/echo", "content-type: text/x\r\n", b"hello").await;
        let seen = answer.json();
        assert_eq!((&seen["body"], &seen["fields"]["content-type"]), (&json!("hello"), &json!("text/x")));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_in_the_table_is_not_there() {
    both(async |fixture, hits| {
        for path in
            ["/", "/v1", "/v1/echo/", "/v1/echo/a/b", "/call/secret", "/metrics", "/outbox/x", "/control"]
        {
            let answer = get(fixture.addr, path).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "no_such_route"), "{path}");
        }
        let answer = exchange(fixture.addr, request("DELETE", "/v1/echo/7", "", b"")).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
        let traced = exchange(fixture.addr, request("TRACE", "/v1/echo/7", "", b"")).await;
        assert_eq!((traced.status, traced.field("allow")), (405, Some("GET, HEAD")));
        assert_eq!(hits.count(), 0, "nothing of it went further than the door");
    })
    .await;
}

#[tokio::test]
async fn an_answer_passes_as_it_was_given() {
    both(async |fixture, _| {
        for code in [200, 201, 204, 304, 400, 404, 409, 500] {
            let answer = get(fixture.addr, &format!("/v1/status/{code}")).await;
            assert_eq!((answer.status, answer.whole), (code, true), "{code}");
            assert_eq!(answer.field("retry-after"), Some("7"));
            assert_eq!(answer.field("x-mine"), None, "the component's own `Connection` listed it");
            let expected_body: &[u8] = if matches!(code, 204 | 304) { b"" } else { b"the reason" };
            assert_eq!(answer.body, expected_body, "{code}");
        }
    })
    .await;
}

#[tokio::test]
async fn head_has_the_length_and_not_the_body() {
    both(async |fixture, _| {
        let body = get(fixture.addr, "/v1/status/200").await.body;
        let mut line = RawConnection::open(fixture.addr).await;
        // Twice on one connection: a body that was not announced would be taken for the next answer.
        for _ in 0..2 {
            line.send(request("HEAD", "/v1/status/200", "", b"")).await;
            let answer = line.receive(true).await.expect("an answer");
            assert_eq!(answer.status, 200);
            assert_eq!(answer.field("content-length"), Some(body.len().to_string().as_str()));
        }
    })
    .await;
}

#[tokio::test]
async fn no_client_waits_past_the_deadline() {
    both(async |fixture, _| {
        let answer = get(fixture.addr, "/v1/slow").await;
        // Where its time was over before the component had it, which a busy machine may come to, the answer reports that.
        assert_eq!(answer.status, 504);
        assert!(
            ["callee_too_slow", "deadline_exceeded"].contains(&answer.code().as_str()),
            "{}",
            answer.code()
        );
    })
    .await;
}

#[tokio::test]
async fn the_clients_deadline_counts_if_it_is_shorter_and_makes_sense() {
    both(async |fixture, hits| {
        for (given, least, most) in [
            ("15000", 1, 15_000),
            ("999999999", 16_000, 30_000),
            ("abc", 16_000, 30_000),
            ("", 16_000, 30_000),
            ("-1", 16_000, 30_000),
            ("18446744073709551616", 16_000, 30_000),
        ] {
            let fields = format!("x-deadline-ms: {given}\r\n");
            let answer = exchange(fixture.addr, request("GET", "/v1/echo/7", &fields, b"")).await;
            let seen: u64 =
                answer.json()["fields"]["x-deadline-ms"].as_str().expect("a deadline").parse().expect("ms");
            assert!((least..=most).contains(&seen), "{given:?} became {seen}");
        }
        let before = hits.count();
        for over in ["0", "00"] {
            let fields = format!("x-deadline-ms: {over}\r\n");
            let answer = exchange(fixture.addr, request("GET", "/v1/echo/7", &fields, b"")).await;
            assert_eq!((answer.status, answer.code().as_str()), (504, "deadline_exceeded"), "{over}");
        }
        assert_eq!(hits.count(), before, "no work for a client that has left");
    })
    .await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_at_once_and_at_the_limit() {
    both(async |fixture, hits| {
        assert_eq!(post(fixture.addr, "/v1/small", "", &[b'x'; 1_000]).await.status, 200);
        let before = hits.count();
        // Declared: not a byte of it needs to come.
        let declared = "POST /v1/small HTTP/1.1\r\nhost: cleave\r\ncontent-length: 1001\r\n\r\n";
        let answer = exchange(fixture.addr, declared).await;
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
        // Chunked: known when it has come. 4 x 300 are more than 1,000.
        let chunk = format!("12c\r\n{}\r\n", "x".repeat(300));
        let chunked = format!(
            "POST /v1/small HTTP/1.1\r\nhost: cleave\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(4)
        );
        let answer = exchange(fixture.addr, chunked).await;
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
        assert_eq!(hits.count(), before, "the component saw neither");
    })
    .await;
}

#[tokio::test]
async fn a_streamed_body_over_the_limit_is_413_as_well() {
    both(async |fixture, _| {
        // Longer than what is kept (64 KiB), so it streams; the limit is 8 MiB.
        let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
        let mut line = RawConnection::open(fixture.addr).await;
        line.send("POST /v1/large HTTP/1.1\r\nhost: cleave\r\ntransfer-encoding: chunked\r\n\r\n").await;
        line.send(chunk.repeat(9)).await;
        let answer = line.receive(false).await.expect("an answer");
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    })
    .await;
}

#[tokio::test]
async fn a_long_body_streams_through() {
    both(async |fixture, _| {
        let body = vec![b'x'; 3 << 20];
        let answer = post(fixture.addr, "/v1/large", "", &body).await;
        assert_eq!((answer.status, &answer.json()["length"]), (200, &json!(3 << 20)));
        assert_eq!(answer.json()["fields"]["content-length"], "3145728", "a known length stays a length");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    both(async |fixture, _| {
        // Kept whole: 10 of 100 bytes. Streamed: 10 of 100,000.
        for length in [100, 100_000] {
            let mut line = RawConnection::open(fixture.addr).await;
            line.send(format!(
                "POST /v1/slow HTTP/1.1\r\nhost: cleave\r\ncontent-length: {length}\r\n\r\n0123456789"
            ))
            .await;
            let answer = line.receive(false).await.expect("an answer");
            assert_eq!((answer.status, answer.code().as_str()), (408, "body_too_slow"), "{length}");
            assert!(line.is_closed().await, "what comes later would be taken for a request");
        }
    })
    .await;
}

#[tokio::test]
async fn half_an_answer_never_looks_whole() {
    both(async |fixture, _| {
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(request("GET", "/v1/broken", "", b"")).await;
        line.receive_head().await;
        // Which makes the rest fail.
        assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200);
        let answer = line.receive(false).await.expect("its head is here");
        assert_eq!(answer.status, 200, "the head was out already");
        assert!(!answer.whole, "so the connection is cut: {:?}", String::from_utf8_lossy(&answer.body));
    })
    .await;
}

#[tokio::test]
async fn a_component_that_panics_is_a_lost_connection() {
    both(async |fixture, _| {
        let answer = get(fixture.addr, "/v1/panic").await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "connection_lost"));
        assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200, "and nothing else");
    })
    .await;
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    both(async |fixture, _| {
        let mut line = RawConnection::open(fixture.addr).await;
        for n in 0..5 {
            line.send(request("GET", &format!("/v1/echo/{n}"), "", b"")).await;
            let answer = line.receive(false).await.expect("the same connection");
            assert_eq!(answer.json()["uri"], format!("/v1/echo/{n}"));
        }
    })
    .await;
}
