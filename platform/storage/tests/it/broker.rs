//! Events through a broker: exactly once and in order, whatever becomes of relay, consumer and broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use contract::{Event, Pending};
use storage::nats::{Broker, BrokerOptions, BrokerSource};
use storage::{Batch, Options, Position, Source};

use crate::broker_ground::*;
use crate::ground::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_once_in_order_and_the_outbox_is_not_read() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let unneeded = Arc::new(Unneeded::default());
    let consuming = ground.consume(&theirs, &Arc::default(), unneeded.clone()).await;
    let relaying = ground.relay(&ours, &bus).await;
    for number in 1..=50 {
        publish(&ours, &bus, number).await.expect("published");
        let mut tx = ours.write().await.expect("the turn");
        let event = Withdrawn { number };
        bus.publish(&context(), &mut tx, format!("withdrawn-{number}"), &event).await.expect("published");
        tx.commit().await.expect("committed");
    }
    eventually("100 events", async || heard(&theirs).await.len() >= 100).await;
    let expected: Vec<i64> = (1..=50).flat_map(|number| [number, -number]).collect();
    assert_eq!(heard(&theirs).await, expected, "two topics of one publisher are one stream");
    assert_eq!(unneeded.0.load(Ordering::SeqCst), 0);
    eventually("reports of all", async || bus.outbox().waiting().await.expect("counts") == 0).await;
    assert_eq!(bus.outbox().trim().await.expect("trims"), 100, "what all have applied goes");
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_keeps_what_the_broker_has_acknowledged_and_no_consumer_has_applied() {
    let Some(ground) = Ground::start() else { return };
    let ours = database(&ground.place, "ours").await;
    let bus = outbound(&ours);
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=5).await;
    eventually("the mark", async || numbers(&ours, MARK).await == [5]).await;
    assert_eq!(ground.messages().await, 5);
    assert_eq!(bus.outbox().trim().await.expect("trims"), 0, "an acknowledgement drops nothing");
    assert_eq!(bus.outbox().waiting().await.expect("counts"), 5);
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_ends_before_its_mark_goes_on_where_the_stream_ends() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let consuming = ground.consume(&theirs, &Arc::default(), Arc::new(Unneeded::default())).await;
    publish_all(&ours, &bus, 1..=10).await;
    let relaying = ground.relay(&ours, &bus).await;
    eventually("ten events", async || heard(&theirs).await.len() >= 10).await;
    relaying.end().await;
    // The mark is written once a second: whether it was, is a matter of chance. Without it the relay knows nothing.
    let mut tx = ours.write().await.expect("the turn");
    storage::query("DELETE", "inbox_offset", "DELETE FROM inbox_offset")
        .execute(tx.conn())
        .await
        .expect("gone");
    tx.commit().await.expect("committed");
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 11..=12).await;
    eventually("twelve events", async || heard(&theirs).await.len() >= 12).await;
    assert_eq!(ground.messages().await, 12, "none was published twice");
    assert_eq!(heard(&theirs).await, in_order(12));
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_again_after_a_lost_acknowledgement_is_stored_once_also_after_a_restart() {
    let Some(mut ground) = Ground::start() else { return };
    let ours = database(&ground.place, "ours").await;
    let bus = outbound(&ours);
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=3).await;
    eventually("the mark", async || numbers(&ours, MARK).await == [3]).await;
    relaying.end().await;
    let again = async |ground: &Ground, expected: u64| {
        let stream = ground.stream().await;
        let stored = stream.get_raw_message(3).await.expect("it is there");
        let mut headers = async_nats::HeaderMap::new();
        let id = stored.headers.get("Nats-Msg-Id").expect("it has one").as_str().to_owned();
        headers.insert("Nats-Msg-Id", id);
        headers.insert("Nats-Expected-Last-Sequence", "2");
        let client = async_nats::ConnectOptions::with_token(TOKEN.into())
            .connect(ground.options().address.to_string())
            .await
            .expect("it runs");
        let jetstream = async_nats::jetstream::new(client);
        let sent =
            jetstream.publish_with_headers(stored.subject.clone(), headers, stored.payload.clone()).await;
        let acknowledged = sent.expect("sent").await.expect("acknowledged");
        assert!(acknowledged.duplicate);
        assert_eq!((acknowledged.sequence, ground.messages().await), (3, expected));
    };
    again(&ground, 3).await;
    ground.server.start_again().expect("it comes back");
    again(&ground, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_the_broker_is_killed_again_and_again() {
    let Some(mut ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let consuming = ground.consume(&theirs, &Arc::default(), outbox(&bus)).await;
    let relaying = ground.relay(&ours, &bus).await;
    for life in 0..8 {
        publish_all(&ours, &bus, life * 20 + 1..=life * 20 + 20).await;
        let some = usize::try_from(life * 20 + 5).expect("small");
        eventually("some events of each life", async || heard(&theirs).await.len() >= some).await;
        ground.server.start_again().expect("it comes back");
    }
    eventually("160 events", async || heard(&theirs).await.len() >= 160).await;
    assert_eq!(heard(&theirs).await, in_order(160));
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_has_lost_is_relayed_again() {
    let Some(mut ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=10).await;
    eventually("the mark", async || numbers(&ours, MARK).await == [10]).await;
    // All of it is acknowledged, and gone.
    ground.server.start_empty().expect("it comes back");
    let consuming = ground.consume(&theirs, &Arc::default(), Arc::new(Unneeded::default())).await;
    publish_all(&ours, &bus, 11..=12).await;
    eventually("twelve events", async || heard(&theirs).await.len() >= 12).await;
    assert_eq!(heard(&theirs).await, in_order(12));
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_that_the_broker_has_lost_is_relayed_again_before_what_comes_after_it() {
    for is_consumed in [false, true] {
        let Some(mut ground) = Ground::start() else { return };
        let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
        let bus = outbound(&ours);
        let broker = ground.broker().await;
        let relaying = relay(broker.clone(), &ours, &bus);
        let early = match is_consumed {
            true => Some(ground.consume(&theirs, &Arc::default(), Arc::new(Unneeded::default())).await),
            false => None,
        };
        let relayed = async |first, last: u64| {
            publish_all(&ours, &bus, first..=last).await;
            eventually("the mark", async || numbers(&ours, MARK).await == [last.cast_signed()]).await;
            let count = usize::try_from(last).expect("small");
            eventually("its events", async || !is_consumed || heard(&theirs).await.len() >= count).await;
        };
        relayed(1, 5).await;
        ground.server.save().expect("it comes back");
        relayed(6, 10).await;
        // The relay has nothing to do meanwhile, and finds a connection when it has.
        ground.server.kill();
        eventually("the loss", async || !broker.is_connected()).await;
        ground.server.restore().expect("it comes back");
        eventually("another connection", async || broker.is_connected()).await;
        publish_all(&ours, &bus, 11..=12).await;
        let late = match is_consumed {
            true => None,
            false => Some(ground.consume(&theirs, &Arc::default(), Arc::new(Unneeded::default())).await),
        };
        eventually("twelve events", async || heard(&theirs).await.len() >= 12).await;
        assert_eq!(heard(&theirs).await, in_order(12), "consumed before: {is_consumed}");
        assert_eq!(ground.messages().await, 12);
        for running in early.into_iter().chain(late).chain([relaying]) {
            running.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_in_the_stream_is_read_in_the_outbox() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=10).await;
    eventually("the mark", async || numbers(&ours, MARK).await == [10]).await;
    let stream = ground.stream().await;
    stream.delete_message(4).await.expect("it is there");
    stream.delete_message(5).await.expect("it is there");
    stream.purge().sequence(3).await.expect("the first two go");
    let consuming = ground.consume(&theirs, &Arc::default(), outbox(&bus)).await;
    eventually("ten events", async || heard(&theirs).await.len() >= 10).await;
    assert_eq!(heard(&theirs).await, in_order(10));
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_ends_between_effect_and_acknowledgement_applies_it_once() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let relaying = ground.relay(&ours, &bus).await;
    // Its effect is committed; it asks for no further event, which would acknowledge it.
    let unneeded = Arc::new(Unneeded::default());
    let once = Arc::new(BrokerSource::new(ground.broker().await, PUBLISHER, CONSUMER, unneeded));
    let first = consume(&theirs, &Arc::default(), Arc::new(Once(once, AtomicU32::new(0))));
    publish_all(&ours, &bus, 1..=3).await;
    eventually("one event", async || heard(&theirs).await == [1]).await;
    first.finish(Duration::from_secs(1)).await;
    let consuming = ground.consume(&theirs, &Arc::default(), Arc::new(Unneeded::default())).await;
    eventually("the rest", async || heard(&theirs).await.len() >= 3).await;
    assert_eq!(heard(&theirs).await, [1, 2, 3], "delivered again, and not applied again");
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_a_consumer_took_along_comes_again_before_its_successor() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=3).await;
    let unneeded: Arc<dyn Source> = Arc::new(Unneeded::default());
    let taken = BrokerSource::new(ground.broker().await, PUBLISHER, CONSUMER, unneeded.clone());
    let begin = Position { epoch: ours.epoch().to_owned(), seq: 0 };
    eventually("the first event", async || {
        let pulled = taken.pull(Posted::TOPIC, &begin, 1, Duration::ZERO).await;
        pulled.is_ok_and(|batch| batch.rows.iter().any(|row| row.seq == 1))
    })
    .await;
    drop(taken);
    let consuming = ground.consume(&theirs, &Arc::default(), unneeded).await;
    eventually("three events", async || heard(&theirs).await.len() >= 3).await;
    assert_eq!(heard(&theirs).await, in_order(3));
    consuming.end().await;
    relaying.end().await;
}

/// Answers until it has given one event, and then not at all.
struct Once(Arc<BrokerSource>, AtomicU32);

impl Source for Once {
    fn pull<'a>(
        &'a self,
        topics: &'a str,
        after: &'a Position,
        limit: u32,
        wait: Duration,
    ) -> Pending<'a, Batch> {
        Box::pin(async move {
            if self.1.load(Ordering::SeqCst) > 0 {
                std::future::pending::<()>().await;
            }
            let batch = self.0.pull(topics, after, limit, wait).await?;
            self.1.fetch_add(u32::try_from(batch.rows.len()).expect("one"), Ordering::SeqCst);
            Ok(batch)
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_applied_is_put_aside_and_the_next_continues() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let ledger = Arc::new(Ledger { hates: Some(2), ..Ledger::default() });
    let consuming = ground.consume(&theirs, &ledger, Arc::new(Unneeded::default())).await;
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=3).await;
    eventually("the third event", async || heard(&theirs).await.contains(&3)).await;
    assert_eq!(heard(&theirs).await, [1, 3]);
    assert_eq!(numbers(&theirs, "SELECT COUNT(*) FROM dead_letters").await, [1], "kept where it is found");
    assert_eq!(ledger.begun.load(Ordering::SeqCst), 2 + 5, "it was tried five times, in place");
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_waits_longer_than_the_broker_does_is_applied_once_and_first() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let ledger = Arc::new(Ledger::default());
    ledger.alone.store(true, Ordering::SeqCst);
    let consuming = ground.consume(&theirs, &ledger, Arc::new(Unneeded::default())).await;
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=3).await;
    // Tries come 50 ms, 100, 200, 400, 800 and then 1,600 ms after each other: seven take 3 s, and the broker waits 2 s.
    eventually("a seventh try", async || ledger.asked.load(Ordering::SeqCst) >= 7).await;
    assert!(heard(&theirs).await.is_empty(), "the second waits for the first");
    ledger.alone.store(false, Ordering::SeqCst);
    eventually("three events", async || heard(&theirs).await.len() >= 3).await;
    assert_eq!(heard(&theirs).await, in_order(3));
    assert_eq!(ledger.begun.load(Ordering::SeqCst), 3, "each effect was begun once");
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_publisher_and_consumer_share_the_work() {
    let Some(ground) = Ground::start() else { return };
    let shared = Options { shared: true, ..Options::default() };
    let (ours, other_ours) =
        (open(&ground.place, "ours", shared).await, open(&ground.place, "ours", shared).await);
    let (theirs, other_theirs) =
        (open(&ground.place, "theirs", shared).await, open(&ground.place, "theirs", shared).await);
    let (bus, other_bus) = (outbound(&ours), outbound(&other_ours));
    let relaying = [ground.relay(&ours, &bus).await, ground.relay(&other_ours, &other_bus).await];
    let consuming = [
        ground.consume(&theirs, &Arc::default(), outbox(&bus)).await,
        ground.consume(&other_theirs, &Arc::default(), outbox(&bus)).await,
    ];
    publish_all(&ours, &bus, 1..=15).await;
    publish_all(&other_ours, &other_bus, 16..=30).await;
    eventually("thirty events", async || heard(&theirs).await.len() >= 30).await;
    assert_eq!(heard(&theirs).await, in_order(30), "once each, in order");
    for bus in [&bus, &other_bus] {
        eventually("reports", async || bus.outbox().waiting().await.expect("counts") == 0).await;
    }
    assert_eq!(ground.messages().await, 30);
    // The copy at work goes: the other takes over, with what was in hand.
    let [first, second] = consuming;
    first.end().await;
    publish_all(&ours, &bus, 31..=33).await;
    eventually("three more", async || heard(&theirs).await.len() >= 33).await;
    assert_eq!(heard(&theirs).await, in_order(33));
    second.end().await;
    for relay in relaying {
        relay.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_database_is_heard_from_its_beginning() {
    let Some(ground) = Ground::start() else { return };
    let theirs = database(&ground.place, "theirs").await;
    for (name, first) in [("before", 1), ("after", 11)] {
        let ours = database(&ground.place, name).await;
        let bus = outbound(&ours);
        let relaying = ground.relay(&ours, &bus).await;
        publish_all(&ours, &bus, first..=first + 3).await;
        let consuming = ground.consume(&theirs, &Arc::default(), outbox(&bus)).await;
        let last = i64::try_from(first + 3).expect("small");
        eventually(name, async || heard(&theirs).await.contains(&last)).await;
        consuming.end().await;
        relaying.end().await;
    }
    assert_eq!(heard(&theirs).await, [1, 2, 3, 4, 11, 12, 13, 14]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_while_the_broker_stands_still() {
    let Some(ground) = Ground::start() else { return };
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let consuming = ground.consume(&theirs, &Arc::default(), outbox(&bus)).await;
    let relaying = ground.relay(&ours, &bus).await;
    publish_all(&ours, &bus, 1..=3).await;
    eventually("three events", async || heard(&theirs).await.len() >= 3).await;
    ground.server.pause(true);
    publish_all(&ours, &bus, 4..=6).await;
    assert!(bus.outbox().waiting().await.expect("counts") >= 3, "publishers do not wait");
    assert_eq!(heard(&theirs).await, in_order(3));
    ground.server.pause(false);
    eventually("six events", async || heard(&theirs).await.len() >= 6).await;
    assert_eq!(heard(&theirs).await, in_order(6));
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_start_without_their_broker_and_wait_for_it() {
    let Some(mut ground) = Ground::start() else { return };
    ground.server.kill();
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let bus = outbound(&ours);
    let consuming = ground.consume(&theirs, &Arc::default(), Arc::new(Unneeded::default())).await;
    let relaying = ground.relay(&ours, &bus).await;
    publish(&ours, &bus, 1).await.expect("published");
    ground.server.start_again().expect("it comes back");
    eventually("the event", async || heard(&theirs).await == [1]).await;
    consuming.end().await;
    relaying.end().await;
}

#[tokio::test]
async fn a_server_is_asked_before_it_is_used_and_its_token_is_never_shown() {
    let Some(mut ground) = Ground::start() else { return };
    let connect = async |options: BrokerOptions| Broker::connect_now(&options, "test").await;
    let version = connect(ground.options()).await.map(|broker| broker.version()).expect("it answers");
    assert!(version.starts_with('2'), "{version}");
    let wrong = BrokerOptions { credentials: "ada:s3cret".into(), ..ground.options() };
    let refused = connect(wrong).await.map(drop).expect_err("another token");
    let cause = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
    let text = format!("{refused} {cause} {refused:?}");
    assert!(text.contains("127.0.0.1") && !text.contains("s3cret"), "{text}");
    ground.server.kill();
    let gone = connect(ground.options()).await.map(drop).expect_err("it is down");
    assert!(!format!("{gone} {gone:?}").contains(TOKEN));
    let name = BrokerOptions { name: "a.b".into(), ..ground.options() };
    assert!(connect(name).await.map(drop).expect_err("no name").to_string().contains("`a.b`"));
}
