//! Upstreams that misbehave on the wire.

use std::net::SocketAddr;
use std::time::Duration;

use gateway::{Route, Upstream};
use runtime::{ShutdownPolicy, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{PHOTO, TestGateway, Tuning, cluster_of, listen};
use crate::raw_client::{RawConnection, get, request};

/// Answers every request with these bytes, then closes.
async fn saying(tasks: &Tasks, stated: &'static [u8]) -> SocketAddr {
    let listener = listen().await;
    let addr = listener.local_addr().expect("bound");
    tasks.spawn("test.saying", ShutdownPolicy::Cancel, async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = [0; 4_096];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                stream.write_all(stated).await.expect("writes");
            }
        }
    });
    addr
}

#[tokio::test]
async fn before_the_head_it_is_502_and_after_it_the_connection_is_cut() {
    let tasks = Tasks::new();
    for (stated, status, whole) in [
        (&b""[..], 502, true),
        (b"HTTP/1.1 200 OK\r\ncontent-le", 502, true),
        (b"not HTTP at all\r\n\r\n", 502, true),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx", 502, true),
        // Of two lengths a reader may believe either: no half of it may look whole.
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n", 502, true),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nfull", 502, true),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nraw", 502, true),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", 200, false),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", 200, false),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfull", 200, true),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n", 200, true),
    ] {
        let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[saying(&tasks, stated).await]))).await;
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(request("GET", "/v1/echo/7", "", b"")).await;
        let text = String::from_utf8_lossy(stated);
        let answer = line.receive(false).await.expect("a head, however the rest was lost");
        assert_eq!((answer.status, answer.whole), (status, whole), "{text}: {answer:?}");
    }
}

/// Interim answers without end: one each `pause`, or as fast as they are read.
async fn interim(tasks: &Tasks, pause: Option<Duration>) -> SocketAddr {
    let listener = listen().await;
    let addr = listener.local_addr().expect("bound");
    tasks.spawn("test.interim", ShutdownPolicy::Cancel, async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            if !stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {
                continue;
            }
            while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    });
    addr
}

#[tokio::test]
async fn a_flood_of_interim_answers_is_502_long_before_the_deadline() {
    let tasks = Tasks::new();
    let upstream = Upstream::Cluster(cluster_of(&[interim(&tasks, None).await]));
    let patient = Route { deadline_ms: 30_000, ..Route::new("GET", "/v1/slow", PHOTO) };
    let tuning = Tuning { routes: Some(vec![patient]), ..Tuning::default() };
    let fixture = TestGateway::tuned(upstream, tuning).await;
    // The client does not wait as long.
    let answer = get(fixture.addr, "/v1/slow").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "answer_malformed"));
}

#[tokio::test]
async fn interim_answers_that_only_go_on_end_at_the_deadline() {
    let tasks = Tasks::new();
    // Ten of them in the 200 ms of the route.
    let addr = interim(&tasks, Some(Duration::from_millis(20))).await;
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[addr]))).await;
    assert_eq!(get(fixture.addr, "/v1/slow").await.status, 504);
}

/// A body that never stops coming, a byte each 20 ms, or after the first not at all.
async fn dripping(tasks: &Tasks, goes_on: bool) -> SocketAddr {
    let listener = listen().await;
    let addr = listener.local_addr().expect("bound");
    tasks.spawn("test.dripping", ShutdownPolicy::Cancel, async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = [0; 4_096];
            if !stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                continue;
            }
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx";
            let mut alive = stream.write_all(head).await.is_ok();
            while alive {
                tokio::time::sleep(Duration::from_millis(20)).await;
                alive = if goes_on {
                    stream.write_all(b"x").await.is_ok()
                } else {
                    stream.read(&mut request).await.is_ok_and(|read| read > 0)
                };
            }
        }
    });
    addr
}

#[tokio::test]
async fn a_dripping_answer_is_cut_at_the_deadline_of_its_route() {
    let tasks = Tasks::new();
    for goes_on in [true, false] {
        let upstream = Upstream::Cluster(cluster_of(&[dripping(&tasks, goes_on).await]));
        let fixture = TestGateway::open(upstream).await;
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(request("GET", "/v1/slow", "", b"")).await;
        // `receive` fails after twenty seconds, and the body would take 2,000.
        let answer = line.receive(false).await.expect("its head came at once");
        assert_eq!((answer.status, answer.whole), (200, false), "{goes_on}");
        assert!(line.is_closed().await, "and the connection is cut");
    }
}
