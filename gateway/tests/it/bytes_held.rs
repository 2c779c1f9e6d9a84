//! What bodies hold is bounded, in all and for each address; and what one address holds keeps no other waiting.

use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use axum::routing::any;
use gateway::{Options, Upstream};
use policy::BodyLimits;
use runtime::Tasks;

use crate::fixture::{Hits, TestGateway, Tuning, bounded, cluster_of, copy, echo, options, until};
use crate::raw_client::{Answer, RawConnection, get, post, request};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Long bodies get three quarters of what there is: three million bytes in all, half of it for one address.
const REQUESTS: BodyLimits = BodyLimits { in_all: 4_000_000, per_address: Some(2_000_000) };

async fn gateway(request_bytes: BodyLimits) -> (TestGateway, Tasks) {
    let tasks = Tasks::new();
    let copy = copy(&tasks, echo(Hits::default())).await;
    let options = Options { request_bytes, ..options() };
    // Their routes are so patient that a slow body is there for the whole test.
    let tuning = Tuning { options: Some(options), ..Tuning::default() };
    (TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await, tasks)
}

/// A body that stops after so many bytes, all of which are here.
async fn stopped(fixture: &TestGateway, sent: usize) -> RawConnection {
    let before = fixture.gateway.held_request_bytes();
    let mut line = RawConnection::open(fixture.addr).await;
    line.send("POST /v1/large HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n").await;
    line.send(vec![b'x'; sent]).await;
    until("its bytes are here", || fixture.gateway.held_request_bytes() == before + sent as u64).await;
    line
}

async fn post_long(fixture: &TestGateway) -> Answer {
    post(fixture.addr, "/v1/large", "", &vec![b'y'; 200_000]).await
}

async fn served_again(fixture: &TestGateway) {
    bounded("there is room again", async { while post_long(fixture).await.status != 200 {} }).await;
}

#[tokio::test]
async fn bytes_of_bodies_are_bounded_in_all_and_long_ones_apart() {
    let (fixture, _tasks) = gateway(BodyLimits { per_address: None, ..REQUESTS }).await;
    // The first 64 KiB of each count as a short body; the rest leaves less than 200,000 of three million.
    let slow = [stopped(&fixture, 1_500_000).await, stopped(&fixture, 1_500_000).await];
    let answer = post_long(&fixture).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "bodies_busy"));
    assert_eq!(answer.field("retry-after"), Some("1"));
    assert_eq!(post(fixture.addr, "/v1/echo", "", b"short").await.status, 200);
    drop(slow);
    served_again(&fixture).await;
}

#[tokio::test]
async fn bodies_of_one_address_leave_room_for_those_of_others() {
    let (fixture, _tasks) = gateway(REQUESTS).await;
    let slow = stopped(&fixture, 1_500_000).await;
    assert_eq!(post_long(&fixture).await.code(), "bodies_busy");
    assert_eq!(post(fixture.addr, "/v1/echo", "", b"short").await.status, 200);
    let mut elsewhere = RawConnection::open_from(ELSEWHERE, fixture.addr).await;
    elsewhere.send(request("POST", "/v1/large", "", &vec![b'y'; 200_000])).await;
    assert_eq!(elsewhere.receive(false).await.expect("an answer").status, 200);
    drop(slow);
    served_again(&fixture).await;
}

/// A long reply that is never here as a whole, and a short one.
async fn downloads(reply_bytes: BodyLimits) -> (TestGateway, Tasks) {
    let tasks = Tasks::new();
    let long = || async {
        let piece = || Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b'x'; 32 * 1024]));
        axum::body::Body::from_stream(futures_util::stream::iter((0..64).map(move |_| piece())))
    };
    let router =
        Router::new().route("/v1/echo/{id}", any(long)).route("/v1/status/{code}", any(|| async { "well" }));
    let copy = copy(&tasks, router).await;
    let tuning = Tuning { reply_bytes: Some(reply_bytes), ..Tuning::default() };
    (TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await, tasks)
}

/// Clients that ask for the long reply and do not read it.
async fn stopped_readers(fixture: &TestGateway, count: usize) -> Vec<RawConnection> {
    let mut slow = Vec::new();
    for _ in 0..count {
        let mut line = RawConnection::open_narrow(fixture.addr).await;
        line.send(request("GET", "/v1/echo/7", "", b"")).await;
        line.receive_head().await;
        slow.push(line);
    }
    slow
}

#[tokio::test]
async fn replies_hold_no_more_than_they_may() {
    // 384 KiB for long ones, in pieces of up to 64: as much as six readers that have stopped would hold.
    let (fixture, _tasks) = downloads(BodyLimits { in_all: 512 << 10, per_address: None }).await;
    let slow = stopped_readers(&fixture, 20).await;
    until("the room is full", || fixture.held_reply_bytes() > (384 - 64) << 10).await;
    for _ in 0..10 {
        let answer = get(fixture.addr, "/v1/status/200").await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"well"[..]), "short ones have their own");
        assert!(fixture.held_reply_bytes() <= 512 << 10);
    }
    // One more waits for its turn, and gets all of it.
    let mut waiting = RawConnection::open(fixture.addr).await;
    waiting.send(request("GET", "/v1/echo/7", "", b"")).await;
    waiting.receive_head().await;
    drop(slow);
    let answer = waiting.receive(false).await.expect("an answer");
    assert_eq!((answer.status, answer.whole, answer.body.len()), (200, true, 2 << 20));
    until("all is given back", || fixture.held_reply_bytes() == 0).await;
}

#[tokio::test]
async fn replies_to_one_address_keep_no_other_waiting() {
    let (fixture, _tasks) = downloads(BodyLimits { in_all: 1 << 20, per_address: Some(256 << 10) }).await;
    let _slow = stopped_readers(&fixture, 20).await;
    // Three quarters of its share.
    until("its share is held", || fixture.held_reply_bytes() > (192 - 64) << 10).await;
    for _ in 0..10 {
        let mut elsewhere = RawConnection::open_from(ELSEWHERE, fixture.addr).await;
        elsewhere.send(request("GET", "/v1/echo/7", "", b"")).await;
        let answer = elsewhere.receive(false).await.expect("an answer");
        assert_eq!((answer.status, answer.whole, answer.body.len()), (200, true, 2 << 20));
    }
    assert_eq!(get(fixture.addr, "/v1/status/200").await.status, 200, "nor its own short ones");
}
