//! Upstreams that misbehave on the wire.

use std::net::SocketAddr;

use gateway::Upstream;
use runtime::{ShutdownPolicy, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{TestGateway, cluster_of, listen};
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
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", 200, false),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", 200, false),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfull", 200, true),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n", 200, true),
    ] {
        let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[saying(&tasks, stated).await]))).await;
        let mut line = RawConnection::open(fixture.addr).await;
        line.send(request("GET", "/v1/echo/7", "", b"")).await;
        let text = String::from_utf8_lossy(stated);
        match line.receive(false).await {
            Some(answer) => assert_eq!((answer.status, answer.whole), (status, whole), "{text}: {answer:?}"),
            // The head was still in our buffer when the rest was lost.
            None => assert!(!whole, "{text}"),
        }
    }
}

#[tokio::test]
async fn endless_interim_answers_end_at_the_deadline() {
    let (tasks, listener) = (Tasks::new(), listen().await);
    let addr = listener.local_addr().expect("bound");
    tasks.spawn("test.interim", ShutdownPolicy::Cancel, async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            // As fast as they are read.
            while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {}
        }
    });
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[addr]))).await;
    assert_eq!(get(fixture.addr, "/v1/slow").await.status, 504);
}
