//! The end of a server: nothing that was accepted is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use contract::Carrier;
use runtime::ShutdownPolicy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use transport::cluster::State;
use transport::{Instance, serve};

use crate::pair::{GREETER, Pair, Ponder, Sign, options, patient, until};

async fn another(pair: &Pair, carrier: Carrier) -> serve::Server {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    serve::serve(&pair.tasks, listener, pair.there.router(), options(carrier))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_fails_no_call() {
    restart_under_load(Carrier::Json).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_where_calls_share_connections() {
    restart_under_load(Carrier::Http2Binary).await;
}

async fn restart_under_load(carrier: Carrier) {
    let mut pair = Pair::with(carrier, "attempts = 1\nbreaker = { minimum = 10000 }").await;
    let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    // Writes that must not be repeated, from eight lanes at once; no retries.
    let lanes: Vec<_> = (0..8)
        .map(|_| {
            let (sign, over, sent) = (pair.ask::<Sign>(), over.clone(), sent.clone());
            pair.tasks.spawn("test.lane", ShutdownPolicy::Drain, async move {
                while !over.load(Ordering::SeqCst) {
                    sign.answer(&patient(), Sign { name: "ada".into() }).await.expect("no request fails");
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut old = pair.server.take().expect("remote");
    let mut life = 0;
    for _ in 0..3 {
        let before = sent.load(Ordering::SeqCst);
        until("load on the present server", || sent.load(Ordering::SeqCst) > before + 100).await;
        let new = another(&pair, carrier).await;
        life += 1;
        let instance = |server: &serve::Server, life: u64, state| Instance {
            epoch: life,
            state,
            ..Instance::new("greeter#0", server.addr())
        };
        // The registry's news: the old one drains, the new one is ready.
        pair.clusters
            .get(GREETER)
            .update(vec![instance(&old, life - 1, State::Draining), instance(&new, life, State::Ready)]);
        assert_eq!(old.finish().await, 0, "no request is cut off");
        pair.clusters.get(GREETER).update(vec![instance(&new, life, State::Ready)]);
        old = new;
    }
    over.store(true, Ordering::SeqCst);
    for lane in lanes {
        lane.await.expect("no request fails");
    }
    assert_eq!(pair.greeter.done(), sent.load(Ordering::SeqCst), "each once");
}

/// Reads an answer up to the end of its head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    String::from_utf8(head).expect("text").to_lowercase()
}

#[tokio::test]
async fn a_kept_connection_is_asked_to_close_and_then_closed() {
    let mut pair = Pair::start(Carrier::Json).await;
    let server = pair.server.take().expect("remote");
    let mut stream = TcpStream::connect(server.addr()).await.expect("it accepts");
    let request = b"GET /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request).await.expect("written");
    assert!(!head(&mut stream).await.contains("connection: close"));
    server.begin_drain();
    stream.write_all(request).await.expect("the connection is still open");
    assert!(head(&mut stream).await.contains("connection: close"));
    assert_eq!(stream.read(&mut [0]).await.expect("a clean end"), 0);
    // And a new client is still served, once.
    let mut late = TcpStream::connect(server.addr()).await.expect("it still accepts");
    late.write_all(request).await.expect("written");
    assert!(head(&mut late).await.contains("connection: close"));
    assert_eq!(server.finish().await, 0);
}

#[tokio::test]
async fn work_under_way_is_finished_and_unused_connections_are_closed() {
    for carrier in [Carrier::Json, Carrier::Http2Binary] {
        finish_at_work(carrier).await;
    }
}

async fn finish_at_work(carrier: Carrier) {
    let mut pair = Pair::start(carrier).await;
    let server = pair.server.take().expect("remote");
    let _silent = TcpStream::connect(server.addr()).await.expect("it accepts");
    let (cx, asked) = (patient(), pair.ask::<Ponder>());
    let work = asked.answer(&cx, Ponder);
    let end = async {
        until("work and an unused connection", || pair.greeter.begun() == 1 && server.connections() == 2)
            .await;
        let finished = server.clone().finish();
        let release = async {
            until("the unused connection is closed", || server.connections() == 1).await;
            pair.greeter.release.notify_one();
        };
        tokio::join!(finished, release).0
    };
    let (answer, aborted) = tokio::join!(work, end);
    answer.expect("finished");
    assert_eq!(aborted, 0);
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off_and_counted() {
    for carrier in [Carrier::Json, Carrier::Http2Binary] {
        cut_off(carrier).await;
    }
}

async fn cut_off(carrier: Carrier) {
    let pair = Pair::start(carrier).await;
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let brief = Duration::from_millis(20);
    let options = serve::Options { drain_grace: brief, drain_deadline: brief, ..options(carrier) };
    let server = serve::serve(&pair.tasks, listener, pair.there.router(), options);
    pair.clusters.get(GREETER).update(vec![Instance::new("greeter#1", server.addr())]);
    let (cx, asked) = (patient(), pair.ask::<Ponder>());
    let work = asked.answer(&cx, Ponder);
    let end = async {
        until("work", || pair.greeter.begun() == 1).await;
        let ending = timeout(Duration::from_secs(60), server.clone().finish());
        let aborted = ending.await.expect("it does not wait for ever");
        until("the connection is gone", || server.connections() == 0).await;
        aborted
    };
    let (answer, aborted) = tokio::join!(work, end);
    assert_eq!(aborted, 1);
    // The retry meets a closed port, and still no error claims that nothing has happened.
    assert!(answer.expect_err("cut off").kind.may_have_happened());
    assert_eq!(pair.greeter.done(), 0);
}

#[tokio::test]
async fn a_client_that_shares_a_connection_is_sent_elsewhere_after_its_answer() {
    let mut pair = Pair::start(Carrier::Http2Binary).await;
    let server = pair.server.take().expect("remote");
    let channel = || pair.clusters.get(GREETER).endpoints()[0].channel.stats();
    pair.greet(&patient()).await.expect("an answer");
    server.begin_drain();
    pair.greet(&patient()).await.expect("on the connection that is open");
    until("it has been closed by its end", || server.connections() == 0).await;
    pair.greet(&patient()).await.expect("on another, while it still accepts");
    assert_eq!(channel().connects, 2);
    assert_eq!(server.finish().await, 0);
}
