//! Raw sockets against the accept loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::Carrier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use transport::serve;

use crate::pair::{GREETER, PATIENCE, Pair, TOKEN};

/// Sends bytes and reads until the server closes.
async fn send(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("it accepts");
    stream.write_all(bytes).await.expect("written");
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let _end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn pair() -> (Pair, SocketAddr) {
    let pair = Pair::start(Carrier::Json).await;
    let addr = pair.server.as_ref().expect("remote").addr();
    (pair, addr)
}

fn call(name: &str, extra: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /call/{name} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{extra}\r\n{body}")
        .into_bytes()
}

fn headers(list: &[(&str, &str)]) -> String {
    list.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

#[tokio::test]
async fn half_a_header_is_closed_in_time() {
    let pair = Pair::start(Carrier::Json).await;
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let options = serve::Options { header_timeout: Duration::from_millis(50), ..serve::Options::default() };
    let server = serve::serve(&pair.tasks, listener, pair.there.router(), options);
    // `send` itself fails if the server does not close.
    send(server.addr(), b"GET / HTTP/1.1\r\nhost: x\r\nx-half").await;
    send(server.addr(), b"").await;
}

#[tokio::test]
async fn too_many_headers_and_too_long_ones_are_431() {
    let (_pair, addr) = pair().await;
    let many: String = (0..105).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = send(addr, format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let long = "a".repeat(17 * 1024);
    let answer = send(addr, format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn calls_need_the_runs_token() {
    let (pair, addr) = pair().await;
    let body = "{\"name\":\"ada\",\"times\":1}";
    let json = ("content-type", "application/json");
    for token in [None, Some("wrong"), Some(""), Some(&TOKEN[..5])] {
        let mut list = vec![json];
        list.extend(token.map(|token| ("x-cleave-token", token)));
        let answer = send(addr, &call("greeter.greet", &headers(&list), body)).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{token:?}: {answer}");
        assert!(answer.contains("\"code\":\"run_token_required\""), "{answer}");
    }
    assert_eq!(pair.greeter.begun(), 0);
    let answer = send(addr, &call("greeter.greet", &headers(&[json, ("x-cleave-token", TOKEN)]), body)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_malformed_call_is_refused() {
    let (pair, addr) = pair().await;
    let json = ("content-type", "application/json");
    let token = ("x-cleave-token", TOKEN);
    let late = ("x-deadline-ms", "0");
    for (name, list, body, status, code) in [
        ("greeter.sing", vec![json, token], "{}", 404, "call_not_found"),
        ("greeter.greet", vec![token], "{}", 415, "encoding_unknown"),
        ("greeter.greet", vec![json, token], "{\"name\":", 400, "call_unreadable"),
        ("greeter.greet", vec![json, token], "{\"name\":\"ada\"}", 400, "call_unreadable"),
        ("greeter.greet", vec![json, token, late], "not even read", 504, "deadline_exceeded"),
    ] {
        let answer = send(addr, &call(name, &headers(&list), body)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name} {body}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    }
    assert_eq!(pair.greeter.begun(), 0);
}

#[tokio::test]
async fn a_declared_flood_is_refused_before_it_is_read() {
    let (pair, addr) = pair().await;
    let list = headers(&[("content-type", "application/json"), ("x-cleave-token", TOKEN)]);
    let head =
        format!("POST /call/greeter.greet HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n{list}\r\n");
    let answer = send(addr, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(pair.greeter.begun(), 0);
}

#[tokio::test]
async fn connections_beyond_the_limit_of_one_address_are_closed() {
    let pair = Pair::start(Carrier::Json).await;
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let limits = serve::ConnectionLimits { per_address: Some(1), ..serve::ConnectionLimits::SHARED };
    let options = serve::Options { connection_limits: limits, ..serve::Options::default() };
    let server = serve::serve(&pair.tasks, listener, pair.there.router(), options);
    let first = TcpStream::connect(server.addr()).await.expect("it accepts");
    crate::pair::until("the first is in", || server.connections() == 1).await;
    send(server.addr(), b"").await;
    drop(first);
    crate::pair::until("the first is out", || server.connections() == 0).await;
    pair.clusters.get(GREETER).update(vec![transport::Instance::new("greeter#1", server.addr())]);
    pair.greet(&crate::pair::patient()).await.expect("its place is free");
}

#[tokio::test]
async fn headers_that_never_end_make_room_for_those_that_do() {
    let pair = Pair::start(Carrier::Json).await;
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let limits = serve::ConnectionLimits { idle_per_address: Some(4), ..serve::ConnectionLimits::SHARED };
    let options = serve::Options { connection_limits: limits, ..serve::Options::default() };
    let server = serve::serve(&pair.tasks, listener, pair.there.router(), options);
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.addr()).await.expect("it accepts");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-half").await.expect("written");
        slow.push(stream);
    }
    // Four of the twenty are left, and a client that asks is served.
    crate::pair::until("the oldest have gone", || server.connections() <= 4).await;
    pair.clusters.get(GREETER).update(vec![transport::Instance::new("greeter#1", server.addr())]);
    pair.greet(&crate::pair::patient()).await.expect("from the same address");
    let ended = slow[0].read(&mut [0; 1]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "the first has been closed");
}

#[tokio::test]
async fn connections_that_asked_once_and_idle_make_room_for_those_that_ask() {
    let tasks = runtime::Tasks::new();
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let (held, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (permits, starts) = (held.clone(), begun.clone());
    let wait = move || async move {
        starts.add_permits(1);
        permits.acquire().await.expect("never closed").forget();
        "ok"
    };
    let router = axum::Router::new()
        .route("/", axum::routing::get(|| async { "ok" }))
        .route("/held", axum::routing::get(wait));
    let options = serve::Options { max_connections: 4, ..serve::Options::default() };
    let server = serve::serve(&tasks, listener, router, options);
    let mut at_work = TcpStream::connect(server.addr()).await.expect("it accepts");
    let last = b"GET /held HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    at_work.write_all(last).await.expect("written");
    begun.acquire().await.expect("never closed").forget();
    let mut idle = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(server.addr()).await.expect("it accepts");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
        let mut answer = vec![0; 1_024];
        let reading = tokio::time::timeout(PATIENCE, stream.read(&mut answer));
        let length = reading.await.expect("there is room for it").expect("read");
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        // Half a header of a second request is no request.
        stream.write_all(b"GET / HTTP/1.1\r\nx-half").await.expect("written");
        idle.push(stream);
    }
    held.add_permits(1);
    let mut answer = Vec::new();
    at_work.read_to_end(&mut answer).await.expect("its connection was kept");
    assert!(answer.ends_with(b"ok"), "{}", String::from_utf8_lossy(&answer));
    tasks.close();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let tasks = runtime::Tasks::new();
    let served = async |grace_ms| {
        let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let grace = policy::units::HumanDuration::from_millis(grace_ms);
        let rate = policy::MinimumRate { grace, bytes_per_s: 1 << 20 };
        let options = serve::Options { read_rate: Some(rate), ..serve::Options::default() };
        // More than the kernel holds for both ends.
        let large = axum::Router::new().route("/", axum::routing::get(|| async { vec![0_u8; 64 << 20] }));
        serve::serve(&tasks, listener, large, options)
    };
    let server = served(1_000).await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4 * 1024).expect("a socket option");
    let mut stream = socket.connect(server.addr()).await.expect("it accepts");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    crate::pair::until("it is in", || server.connections() == 1).await;
    crate::pair::until("it is out", || server.connections() == 0).await;
    // One that reads, and may stand still for as long as a busy machine does: 64 MiB at a MiB a second take longer than its grace.
    let patient = served(20_000).await;
    let whole = send(patient.addr(), b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(whole.len() > 64 << 20, "a client that reads gets all of it");
    tasks.close();
}
