//! Kept connections, and upstreams that treat them badly.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use contract::{Carrier, ComponentName};
use http::{Method, Request};
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transport::attempt::{self, AttemptError, NotSentReason};
use transport::pool::{self, PoolError};
use transport::{Body, BodyError, Clusters, Endpoint, Instance, serve};

use crate::pair::{Pair, patient, until};

const UPSTREAM: ComponentName = ComponentName::of("upstream");

/// An upstream written by hand: what it does to a connection is up to `each`.
async fn upstream<F>(
    tasks: &Tasks,
    each: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> std::net::SocketAddr
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let owner = tasks.clone();
    tasks.spawn("test.upstream", ShutdownPolicy::Cancel, async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = each(stream);
            owner.spawn("test.connection", ShutdownPolicy::Cancel, connection);
        }
    });
    addr
}

/// Reads one request without a body.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

/// A request, answered.
async fn serve_one(stream: &mut TcpStream) -> std::io::Result<()> {
    read_head(stream).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await
}

/// Every request, until the client hangs up.
async fn serve_for_ever(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        serve_one(&mut stream).await?;
    }
}

fn endpoint(clusters: &Clusters, addr: std::net::SocketAddr) -> Arc<Endpoint> {
    clusters.get(UPSTREAM).update(vec![Instance::new("upstream#0", addr)]);
    clusters.get(UPSTREAM).pick(None).expect("the only one")
}

fn get(endpoint: &Endpoint) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    request.headers_mut().insert(http::header::HOST, endpoint.host().clone());
    request
}

async fn ask(endpoint: &Arc<Endpoint>) -> Result<Vec<u8>, AttemptError> {
    let until = clock::now() + Duration::from_secs(10);
    let response = attempt::send(endpoint, get(endpoint), until, || Some(get(endpoint))).await?;
    Ok(response.into_body().bytes(1 << 20).await.expect("a whole body").to_vec())
}

#[tokio::test]
async fn an_upstream_that_hangs_up_after_every_third_answer_fails_no_request() {
    let tasks = Tasks::new();
    // Never a word of `Connection: close`: the client finds out by writing.
    let addr = upstream(&tasks, |mut stream| async move {
        for _ in 0..3 {
            serve_one(&mut stream).await?;
        }
        Ok(())
    })
    .await;
    let endpoint = endpoint(&Clusters::new(), addr);
    let lanes = (0..4).map(|_| async {
        for _ in 0..100 {
            assert_eq!(ask(&endpoint).await.expect("no request fails"), b"ok");
        }
    });
    futures_util::future::join_all(lanes).await;
    let stats = endpoint.pool.stats();
    // 400 requests at three a connection: at least 134 connections, and reuse in between.
    assert!(stats.connects >= 134, "{stats:?}");
    assert!(stats.reused >= 134, "{stats:?}");
    assert_eq!(endpoint.load.inflight(), 0);
    tasks.close();
}

#[tokio::test]
async fn one_connection_serves_one_caller() {
    let pair = Pair::start(Carrier::Json).await;
    for _ in 0..50 {
        pair.greet(&patient()).await.expect("an answer");
    }
    let endpoint = pair.clusters.get(crate::pair::GREETER).endpoints()[0].clone();
    let stats = endpoint.pool.stats();
    assert_eq!((stats.connects, stats.reused), (1, 49), "{stats:?}");
    assert_eq!((stats.idle, stats.active, stats.waiting), (1, 0, 0));
}

#[tokio::test]
async fn a_body_left_early_takes_its_connection_along() {
    let tasks = Tasks::new();
    let addr = upstream(&tasks, |mut stream| async move {
        read_head(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await?;
        // Until the client hangs up.
        stream.read_u8().await.map(drop)
    })
    .await;
    let endpoint = endpoint(&Clusters::new(), addr);
    let until_then = clock::now() + Duration::from_secs(10);
    let response = attempt::send(&endpoint, get(&endpoint), until_then, || None).await.expect("a head");
    assert_eq!(
        (endpoint.pool.stats().active, endpoint.load.inflight()),
        (1, 1),
        "in use until the body ends"
    );
    drop(response);
    assert_eq!((endpoint.pool.stats().active, endpoint.load.inflight()), (0, 0));
    assert_eq!(endpoint.pool.stats().idle, 0, "half an answer is on it");
    tasks.close();
}

#[tokio::test]
async fn a_full_pool_makes_wait_and_then_refuses() {
    let tasks = Tasks::new();
    let served = Arc::new(AtomicU64::new(0));
    let (gate, count) = (Arc::new(tokio::sync::Notify::new()), served.clone());
    let opened = gate.clone();
    let addr = upstream(&tasks, move |mut stream| {
        let (gate, served) = (gate.clone(), served.clone());
        async move {
            loop {
                read_head(&mut stream).await?;
                gate.notified().await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
                served.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let options = pool::Options { max_connections: 1, max_waiting: 1, ..pool::Options::default() };
    let endpoint = endpoint(&Clusters::with(options), addr);
    let stats = || endpoint.pool.stats();
    let (first, second) = (ask(&endpoint), ask(&endpoint));
    let third = async {
        until("one at work, one waiting", || stats().active == 1 && stats().waiting == 1).await;
        let refused = ask(&endpoint).await.expect_err("no third");
        assert!(
            matches!(refused, AttemptError::NotSent(NotSentReason::Pool(PoolError::Full(1)))),
            "{refused:?}"
        );
        opened.notify_one();
        until("the first is served", || count.load(Ordering::SeqCst) == 1).await;
        opened.notify_one();
    };
    let (first, second, ()) = tokio::join!(first, second, third);
    assert_eq!((first.expect("served"), second.expect("served")), (b"ok".to_vec(), b"ok".to_vec()));
    assert_eq!(stats().connects, 1, "the second had the first one's connection");
    tasks.close();
}

#[tokio::test]
async fn a_long_answer_that_has_no_room_is_refused_and_takes_no_connection_from_others() {
    let tasks = Tasks::new();
    let connections = AtomicUsize::new(0);
    let addr = upstream(&tasks, move |mut stream| {
        let is_long = connections.fetch_add(1, Ordering::SeqCst) < 2;
        async move {
            if !is_long {
                return serve_for_ever(stream).await;
            }
            read_head(&mut stream).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nthe first bytes").await?;
            stream.read_u8().await.map(drop)
        }
    })
    .await;
    let options = pool::Options { max_connections: 1, max_streaming: 1, ..pool::Options::default() };
    let endpoint = endpoint(&Clusters::with(options), addr);
    let until = clock::now() + Duration::from_secs(10);
    let _long = attempt::send(&endpoint, get(&endpoint), until, || None).await.expect("a head");
    let refused = attempt::send(&endpoint, get(&endpoint), until, || None).await.expect_err("no second");
    assert!(refused.refusal().is_shed && refused.refusal().code == "streams_busy", "{refused:?}");
    for _ in 0..3 {
        assert_eq!(ask(&endpoint).await.expect("the connection is free"), b"ok");
    }
    assert_eq!(endpoint.load.fail_streak(), 0, "it has done what it was asked for");
    tasks.close();
}

#[tokio::test]
async fn an_idle_connection_ages_out() {
    let tasks = Tasks::new();
    let addr = upstream(&tasks, serve_for_ever).await;
    // Too old at once: no request finds it young enough.
    let options = pool::Options { idle_timeout: Duration::ZERO, ..pool::Options::default() };
    let endpoint = endpoint(&Clusters::with(options), addr);
    ask(&endpoint).await.expect("an answer");
    ask(&endpoint).await.expect("an answer");
    assert_eq!(endpoint.pool.stats().connects, 2);
    tasks.close();
}

#[tokio::test]
async fn half_an_answer_is_never_a_whole_one() {
    let tasks = Tasks::new();
    let addr = upstream(&tasks, |mut stream| async move {
        read_head(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n").await
    })
    .await;
    let endpoint = endpoint(&Clusters::new(), addr);
    let until = clock::now() + Duration::from_secs(10);
    let response = attempt::send(&endpoint, get(&endpoint), until, || None).await.expect("a head");
    response.into_body().bytes(1 << 20).await.expect_err("the last chunk is missing");
    tasks.close();
}

/// What comes of a future; how often it is polled is added to `polls`.
async fn counted<F: Future>(future: F, polls: &AtomicUsize) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

#[tokio::test]
async fn a_request_on_a_kept_connection_wakes_its_task_once_and_none_that_used_it_before() {
    let tasks = Tasks::new();
    let addr = upstream(&tasks, serve_for_ever).await;
    let clusters = Clusters::new();
    let endpoint = endpoint(&clusters, addr);

    // A task that has asked, and waits for something else by now.
    let (asked, is_asked) = tokio::sync::oneshot::channel();
    let (leave, leaves) = tokio::sync::oneshot::channel::<()>();
    let before = Arc::new(AtomicUsize::new(0));
    let (asking, polls) = (endpoint.clone(), before.clone());
    let first = tasks.spawn("test.first", ShutdownPolicy::Drain, async move {
        let story = async {
            assert_eq!(ask(&asking).await.expect("an answer"), b"ok");
            asked.send(()).expect("it is waited for");
            leaves.await
        };
        counted(story, &polls).await
    });
    is_asked.await.expect("it asks");
    let polled_before = before.load(Ordering::Relaxed);

    for _ in 0..5 {
        let polls = AtomicUsize::new(0);
        assert_eq!(counted(ask(&endpoint), &polls).await.expect("an answer"), b"ok");
        assert_eq!(polls.load(Ordering::Relaxed), 2, "to send it, and when the answer is here");
    }
    assert_eq!(endpoint.pool.stats().connects, 1, "all of them on one connection");
    assert_eq!(before.load(Ordering::Relaxed), polled_before);
    leave.send(()).expect("it waits");
    first.await.expect("no panic");
    tasks.close();
}

#[tokio::test]
async fn a_long_poll_is_not_a_latency_sample() {
    let tasks = Tasks::new();
    let addr = upstream(&tasks, |mut stream| async move {
        read_head(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await
    })
    .await;
    let clusters = Clusters::new();
    let endpoint = endpoint(&clusters, addr);
    let body =
        attempt::get(&clusters.get(UPSTREAM), &patient(), "/outbox/x?after=0", "token").await.expect("ok");
    assert_eq!(body, "ok");
    assert_eq!((endpoint.load.ewma_ns(clock::now_ns()), endpoint.load.inflight()), (0.0, 0));
    tasks.close();
}

#[tokio::test]
async fn a_request_that_breaks_off_by_itself_is_not_the_endpoints_fault() {
    let tasks = Tasks::new();
    let addr = upstream(&tasks, |mut stream| async move {
        read_head(&mut stream).await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.map(drop)
    })
    .await;
    let endpoint = endpoint(&Clusters::new(), addr);
    // Ten bytes announced in chunks, five allowed: as when a client sends too much through a gateway.
    let chunks = futures_util::stream::iter(
        [b"12345", b"67890"]
            .map(|chunk| Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::from_static(chunk)))),
    );
    let body = Body::other(http_body_util::StreamBody::new(chunks)).limited(5);
    let mut request = get(&endpoint).map(|_| body);
    *request.method_mut() = Method::POST;
    let until = clock::now() + Duration::from_secs(10);
    let failed = attempt::send(&endpoint, request, until, || None).await.expect_err("too large");
    assert!(matches!(BodyError::behind(&failed), Some(BodyError::TooLarge(5))), "{failed:?}");
    assert_eq!(endpoint.load.fail_streak(), 0);
    tasks.close();
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let tasks = Tasks::new();
    let addr = upstream(&tasks, |mut stream| async move {
        read_head(&mut stream).await?;
        stream.read_u8().await.map(drop)
    })
    .await;
    let endpoint = endpoint(&Clusters::new(), addr);
    // Long enough to be sent.
    let until = clock::now() + Duration::from_secs(1);
    let failed = attempt::send(&endpoint, get(&endpoint), until, || None).await.expect_err("silence");
    assert!(matches!(failed, AttemptError::TimedOut), "{failed:?}");
    assert_eq!(endpoint.load.fail_streak(), 1);
    tasks.close();
}
