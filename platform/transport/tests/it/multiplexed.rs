//! Calls that share a connection, and callees that treat it badly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::{Carrier, Refusal, RefusalKind};
use futures_util::future::join_all;
use runtime::ShutdownPolicy;
use tokio::net::TcpListener;
use transport::codec::Codec;
use transport::http2::channel::ChannelStats;
use transport::pool::{self, PoolError};
use transport::{Clusters, Endpoint, Instance, serve};

use crate::frames::{Connection, INTERNAL_ERROR, REFUSED_STREAM, RST_STREAM};
use crate::pair::{GREETER, Greeting, Pair, Ponder, Sign, patient, until, within};

const ONE_TRY: &str = "attempts = 1\nbreaker = { minimum = 10000 }";

async fn start(policy: &str) -> Pair {
    Pair::with(Carrier::Http2Binary, policy).await
}

fn endpoint(pair: &Pair) -> Arc<Endpoint> {
    pair.clusters.get(GREETER).endpoints()[0].clone()
}

fn stats(pair: &Pair) -> ChannelStats {
    endpoint(pair).channel.stats()
}

async fn sign(pair: &Pair) -> Result<u64, Refusal> {
    pair.ask::<Sign>().answer(&patient(), Sign { name: "ada".into() }).await
}

/// A callee that is written frame by frame takes the greeter's place.
async fn callee<F>(pair: &Pair, story: impl FnOnce(TcpListener) -> F)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    pair.clusters.get(GREETER).update(vec![Instance::new("greeter#1", addr)]);
    pair.tasks.spawn("test.callee", ShutdownPolicy::Cancel, story(listener));
}

/// A greeting, encoded.
fn greeting() -> Vec<u8> {
    let greeting = Greeting {
        text: "hello".into(),
        called_by: "host".into(),
        principal: None,
        key: None,
        attempt: 0,
        request: 0,
    };
    Codec::Postcard.encode(&greeting).to_vec()
}

/// What a signature is answered with: 7.
const SIGNATURE: &[u8] = &[7];

async fn answer_for_ever(mut connection: Connection, body: &[u8]) -> std::io::Result<()> {
    loop {
        let stream = connection.next_call().await?;
        connection.answer(stream, body).await?;
    }
}

#[tokio::test]
async fn calls_at_once_share_a_connection() {
    let pair = start(ONE_TRY).await;
    for greeting in join_all((0..40).map(|_| async { pair.greet(&patient()).await })).await {
        greeting.expect("an answer");
    }
    let only = ChannelStats { connections: 1, calls: 0, waiting: 0, connects: 1 };
    assert_eq!(stats(&pair), only);
    assert_eq!(endpoint(&pair).pool.stats().connects, 0, "none of their own");
    assert_eq!(endpoint(&pair).load.inflight(), 0);
}

#[tokio::test]
async fn a_policy_gives_them_several() {
    let pair = start("attempts = 1\nconnections = 3").await;
    pair.greet(&patient()).await.expect("an answer");
    assert_eq!(stats(&pair).connections, 1, "one call at a time needs no second");
    // One more is made at a time, while calls go on with those that are there.
    for _ in 0..4 {
        for greeting in join_all((0..40).map(|_| async { pair.greet(&patient()).await })).await {
            greeting.expect("an answer");
        }
    }
    assert_eq!((stats(&pair).connections, stats(&pair).connects), (3, 3));
}

/// Takes a call on each of two connections and accepts no more, then one more on each, and answers all four. `taken` counts.
async fn closes_its_port(listener: TcpListener, taken: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut first = Connection::accept(&listener).await?;
    let mut on_first = vec![first.next_call().await?];
    taken.store(1, Ordering::SeqCst);
    let mut second = Connection::accept(&listener).await?;
    let mut on_second = vec![second.next_call().await?];
    drop(listener);
    taken.store(2, Ordering::SeqCst);
    on_first.push(first.next_call().await?);
    on_second.push(second.next_call().await?);
    for (one, other) in on_first.into_iter().zip(on_second) {
        first.answer(one, &greeting()).await?;
        second.answer(other, &greeting()).await?;
    }
    answer_for_ever(second, &greeting()).await?;
    drop(first);
    Ok(())
}

#[tokio::test]
async fn where_no_further_connection_can_be_made_calls_share_all_that_are_there() {
    let pair = start("attempts = 1\nconnections = 3\nbreaker = { minimum = 10000 }").await;
    let taken = Arc::<AtomicU64>::default();
    let counted = taken.clone();
    callee(&pair, |listener| closes_its_port(listener, counted)).await;
    let after = async |calls: u64| {
        until("the calls before are taken", || taken.load(Ordering::SeqCst) == calls).await;
        pair.greet(&patient()).await
    };
    let fourth = async {
        until("the third is under way", || stats(&pair).calls == 3).await;
        pair.greet(&patient()).await
    };
    let greetings = tokio::join!(after(0), after(1), after(2), fourth);
    for greeting in [greetings.0, greetings.1, greetings.2, greetings.3] {
        greeting.expect("the callee takes two on each connection");
    }
    assert_eq!((stats(&pair).connections, stats(&pair).connects), (2, 2));
}

#[tokio::test]
async fn calls_beyond_the_limit_wait_and_then_are_refused() {
    let options = pool::Options { max_connections: 1, max_waiting: 1, ..pool::Options::default() };
    let pair = Pair::made(Carrier::Http2Binary, ONE_TRY, "", Clusters::with(options)).await;
    let (cx, ponder) = (patient(), pair.ask::<Ponder>());
    let (first, second) = (ponder.answer(&cx, Ponder), ponder.answer(&cx, Ponder));
    let third = async {
        until("one at work, one waiting", || stats(&pair).calls == 1 && stats(&pair).waiting == 1).await;
        until("the first arrives", || pair.greeter.begun() == 1).await;
        let refused = pair.greet(&patient()).await.expect_err("no third");
        assert_eq!(refused.code, "pool_full", "{}", PoolError::Full(1));
        pair.greeter.release.notify_one();
        until("the second arrives", || pair.greeter.begun() == 2).await;
        pair.greeter.release.notify_one();
    };
    let (first, second, ()) = tokio::join!(first, second, third);
    first.and(second).expect("both are served");
    assert_eq!(stats(&pair), ChannelStats { connections: 1, connects: 1, ..ChannelStats::default() });
}

#[tokio::test]
async fn an_unused_connection_ages_out() {
    // Too old at once: no call finds it young enough.
    let options = pool::Options { idle_timeout: Duration::ZERO, ..pool::Options::default() };
    let pair = Pair::made(Carrier::Http2Binary, ONE_TRY, "", Clusters::with(options)).await;
    pair.greet(&patient()).await.expect("an answer");
    pair.greet(&patient()).await.expect("an answer");
    assert_eq!(stats(&pair).connects, 2);
    let server = pair.server.as_ref().expect("remote");
    until("the first has been closed", || server.connections() == 1).await;
}

#[tokio::test]
async fn one_lost_stream_does_not_hurt_the_others() {
    let pair = start(ONE_TRY).await;
    callee(&pair, async |listener: TcpListener| {
        let mut connection = Connection::accept(&listener).await?;
        for number in 1.. {
            let stream = connection.next_call().await?;
            match number % 3 {
                0 => connection.reset(stream, INTERNAL_ERROR).await?,
                _ => connection.answer(stream, SIGNATURE).await?,
            }
        }
        Ok(())
    })
    .await;
    let signatures = join_all((0..30).map(|_| sign(&pair))).await;
    let lost: Vec<_> = signatures.iter().filter_map(|signature| signature.as_ref().err()).collect();
    assert_eq!(lost.len(), 10, "every third");
    assert!(lost.iter().all(|refusal| refusal.code == "connection_lost" && refusal.kind.may_have_happened()));
    assert_eq!(stats(&pair), ChannelStats { connections: 1, connects: 1, ..ChannelStats::default() });
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_whatever_it_is() {
    let pair = start(ONE_TRY).await;
    callee(&pair, async |listener: TcpListener| {
        let mut connection = Connection::accept(&listener).await?;
        let stream = connection.next_call().await?;
        connection.reset(stream, REFUSED_STREAM).await?;
        answer_for_ever(connection, SIGNATURE).await
    })
    .await;
    assert_eq!(sign(&pair).await.expect("it was not acted on"), 7);
    assert_eq!(stats(&pair).connects, 1);
}

/// Answers one call, takes 32 more, reports that half of them were acted on, and ends. What comes then is answered.
async fn leaves(listener: TcpListener, body: Vec<u8>, sent: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut first = Connection::accept(&listener).await?;
    let stream = first.next_call().await?;
    first.answer(stream, &body).await?;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(first.next_call().await?);
    }
    first.go_away(streams[15]).await?;
    first.close().await?;
    let mut second = Connection::accept(&listener).await?;
    loop {
        let stream = second.next_call().await?;
        sent.fetch_add(1, Ordering::SeqCst);
        second.answer(stream, &body).await?;
    }
}

#[tokio::test]
async fn a_callee_that_leaves_with_32_calls_fails_none_that_may_be_repeated() {
    let pair = start(ONE_TRY).await;
    let again = Arc::<AtomicU64>::default();
    let counted = again.clone();
    callee(&pair, |listener| leaves(listener, greeting(), counted)).await;
    pair.greet(&patient()).await.expect("before it leaves");
    for greeting in join_all((0..32).map(|_| async { pair.greet(&patient()).await })).await {
        greeting.expect("no call fails");
    }
    assert_eq!((again.load(Ordering::SeqCst), stats(&pair).connects), (32, 2));
    assert_eq!(endpoint(&pair).load.fail_streak(), 0);
}

#[tokio::test]
async fn and_of_the_others_those_only_that_it_has_acted_on() {
    let pair = start(ONE_TRY).await;
    let again = Arc::<AtomicU64>::default();
    let counted = again.clone();
    callee(&pair, |listener| leaves(listener, SIGNATURE.to_vec(), counted)).await;
    sign(&pair).await.expect("before it leaves");
    let signatures = join_all((0..32).map(|_| sign(&pair))).await;
    let (signed, lost): (Vec<_>, Vec<_>) = signatures.into_iter().partition(Result::is_ok);
    assert_eq!((signed.len(), lost.len()), (16, 16));
    assert!(lost.iter().all(|lost| lost.as_ref().is_err_and(|refusal| refusal.kind == RefusalKind::Lost)));
    assert_eq!(again.load(Ordering::SeqCst), 16, "none twice");
}

#[tokio::test]
async fn a_connection_that_gives_no_sign_of_life_is_given_up() {
    // Long enough for an answer of the second connection, which sends no other sign of life.
    let options = pool::Options { ping_after: Duration::from_millis(500), ..pool::Options::default() };
    let pair = Pair::made(Carrier::Http2Binary, ONE_TRY, "", Clusters::with(options)).await;
    callee(&pair, async |listener: TcpListener| {
        let mut first = Connection::accept(&listener).await?;
        let stream = first.next_call().await?;
        first.answer(stream, &greeting()).await?;
        // Held open, and not read any more.
        let second = Connection::accept(&listener).await?;
        answer_for_ever(second, &greeting()).await?;
        drop(first);
        Ok(())
    })
    .await;
    pair.greet(&patient()).await.expect("the first connection lives");
    pair.greet(&patient()).await.expect("long before its deadline, on another");
    assert_eq!(stats(&pair).connects, 2);
}

#[tokio::test]
async fn a_call_that_times_out_in_silence_takes_its_connection_along() {
    let pair = start(ONE_TRY).await;
    callee(&pair, async |listener: TcpListener| {
        let mut first = Connection::accept(&listener).await?;
        let stream = first.next_call().await?;
        first.answer(stream, &greeting()).await?;
        // The next call, and then its reset or the connection's end: either lets a callee drop it.
        let late = first.next_call().await?;
        while first.read().await.is_ok_and(|frame| (frame.kind, frame.stream) != (RST_STREAM, late)) {}
        let second = Connection::accept(&listener).await?;
        answer_for_ever(second, &greeting()).await
    })
    .await;
    pair.greet(&patient()).await.expect("an answer");
    // Long enough to be sent.
    let refusal = pair.greet(&within(Duration::from_secs(1))).await.expect_err("silence");
    assert_eq!(refusal.kind, RefusalKind::DeadlineExceeded);
    assert_eq!(endpoint(&pair).load.fail_streak(), 1);
    pair.greet(&patient()).await.expect("on another connection");
    assert_eq!(stats(&pair).connects, 2);
}

#[tokio::test]
async fn a_call_that_times_out_while_others_are_answered_does_not() {
    let pair = start("attempts = 1").await;
    // Long enough for another call to be answered meanwhile.
    let (brief, ponder) = (within(Duration::from_secs(2)), pair.ask::<Ponder>());
    let others = async {
        until("it arrives", || pair.greeter.begun() == 1).await;
        pair.greet(&patient()).await.expect("an answer");
    };
    let (late, ()) = tokio::join!(ponder.answer(&brief, Ponder), others);
    assert_eq!(late.expect_err("not released").kind, RefusalKind::DeadlineExceeded);
    pair.greet(&patient()).await.expect("an answer");
    assert_eq!(stats(&pair).connects, 1);
}

/// Leaves in the middle of a call, and answers how many calls were begun and done.
async fn leave(policy: &str) -> (u64, u64) {
    let pair = start(policy).await;
    let (cx, ponder) = (patient(), pair.ask::<Ponder>());
    tokio::select! {
        _ = ponder.answer(&cx, Ponder) => panic!("it was not released"),
        () = until("the call arrives", || pair.greeter.begun() == 1) => {}
    }
    // On the same connection, and so after the reset.
    sign(&pair).await.expect("an answer");
    let (begun, done) = (pair.greeter.begun() - 1, pair.greeter.done() - 1);
    pair.greeter.release.notify_one();
    pair.there.detached().finish(Duration::from_secs(10)).await;
    assert_eq!((stats(&pair).connects, done), (1, 0));
    (begun, pair.greeter.done() - 1)
}

#[tokio::test]
async fn propagate_drops_the_work_of_a_caller_that_left() {
    assert_eq!(leave("cancel = \"propagate\"").await, (1, 0));
}

#[tokio::test]
async fn detach_finishes_it() {
    assert_eq!(leave("cancel = \"detach\"").await, (1, 1));
}

#[tokio::test]
async fn a_callee_of_http1_is_an_error_and_not_a_wait() {
    let mut pair = start(ONE_TRY).await;
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let server = serve::serve(&pair.tasks, listener, pair.there.router(), serve::Options::default());
    pair.clusters.get(GREETER).update(vec![Instance::new("greeter#1", server.addr())]);
    pair.server = Some(server);
    let refusal = pair.greet(&patient()).await.expect_err("505 is no frame");
    assert_eq!((refusal.kind, refusal.code.as_ref()), (RefusalKind::Lost, "answer_malformed"));
    assert_eq!(pair.greeter.begun(), 0);
}
