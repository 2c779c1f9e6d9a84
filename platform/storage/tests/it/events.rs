//! Events: within a transaction, and across databases exactly once, in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::Pending;
use storage::{Batch, Bus, Options, OutboundTopics, Outbox, Position, Source, StorageFaults};

use crate::ground::*;

pub async fn a_subscriber_of_the_same_database_runs_in_the_transaction_or_not_at_all(place: Place) {
    let db = database(&place, "one").await;
    let bus = Bus::new(db.clone(), OutboundTopics::default());
    bus.subscribe::<Posted, _>(CONSUMER, Arc::new(Ledger { hates: Some(13), ..Ledger::default() }));
    publish(&db, &bus, 1).await.expect("published");
    assert_eq!(heard(&db).await, [1], "no later than the commit");

    publish(&db, &bus, 13).await.expect_err("a subscriber refuses");
    let mut tx = db.write().await.expect("the turn has passed on");
    say(&mut tx, 2).await;
    bus.publish(&context(), &mut tx, "posted-2".into(), &Posted { number: 2 }).await.expect("applied");
    drop(tx);
    assert_eq!(heard(&db).await, [1], "what was not committed was not applied");
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [1], "and not written");
    assert_eq!(numbers(&db, "SELECT COUNT(*) FROM outbox").await, [0], "no other database gets it");
}

pub async fn another_database_hears_everything_once_and_in_order(place: Place) {
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let bus = outbound(&ours);
    let tasks = consume(&theirs, &Arc::default(), Arc::new(bus.outbox().clone()));
    for number in 1..=20 {
        publish(&ours, &bus, number).await.expect("published");
        let mut tx = ours.write().await.expect("the turn");
        let event = Withdrawn { number };
        bus.publish(&context(), &mut tx, format!("withdrawn-{number}"), &event).await.expect("published");
        tx.commit().await.expect("committed");
    }
    eventually("40 events", async || heard(&theirs).await.len() >= 40).await;
    let expected: Vec<i64> = (1..=20).flat_map(|number| [number, -number]).collect();
    assert_eq!(heard(&theirs).await, expected, "two topics of one publisher are one stream");
    tasks.finish(Duration::from_secs(1)).await;
}

pub async fn a_repeated_write_publishes_nothing_new(place: Place) {
    let db = database(&place, "ours").await;
    let bus = outbound(&db);
    publish(&db, &bus, 1).await.expect("published");
    publish(&db, &bus, 1).await.expect("a repeat is accepted");
    assert_eq!(numbers(&db, "SELECT COUNT(*) FROM outbox").await, [1]);
}

/// Delivers everything from the start, twice, whatever was asked for.
struct Stuttering(Outbox);

impl Source for Stuttering {
    fn pull<'a>(
        &'a self,
        topics: &'a str,
        _: &'a Position,
        limit: u32,
        wait: Duration,
    ) -> Pending<'a, Batch> {
        Box::pin(async move {
            let mut batch = self.0.pull(topics, 0, limit, wait).await?;
            batch.rows.extend(batch.rows.clone());
            Ok(batch)
        })
    }
}

pub async fn what_is_delivered_again_is_not_applied_again(place: Place) {
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let bus = outbound(&ours);
    for number in 1..=5 {
        publish(&ours, &bus, number).await.expect("published");
    }
    let tasks = consume(&theirs, &Arc::default(), Arc::new(Stuttering(bus.outbox().clone())));
    eventually("five events", async || heard(&theirs).await.len() >= 5).await;
    publish(&ours, &bus, 6).await.expect("published");
    eventually("a sixth", async || heard(&theirs).await.contains(&6)).await;
    tasks.finish(Duration::from_secs(1)).await;
    assert_eq!(heard(&theirs).await, [1, 2, 3, 4, 5, 6]);
}

pub async fn an_event_that_cannot_be_applied_is_put_aside_and_the_next_continues(place: Place) {
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let bus = outbound(&ours);
    for number in 1..=3 {
        publish(&ours, &bus, number).await.expect("published");
    }
    let ledger = Arc::new(Ledger { hates: Some(2), ..Ledger::default() });
    let tasks = consume(&theirs, &ledger, Arc::new(bus.outbox().clone()));
    eventually("the third event", async || heard(&theirs).await.contains(&3)).await;
    tasks.finish(Duration::from_secs(1)).await;
    assert_eq!(heard(&theirs).await, [1, 3]);
    assert_eq!(numbers(&theirs, "SELECT COUNT(*) FROM dead_letters").await, [1], "kept where it is found");
    assert_eq!(ledger.begun.load(Ordering::SeqCst), 2 + 5, "it was tried five times");
}

pub async fn events_out_of_order_are_all_applied_and_none_twice(place: Place) {
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let bus = outbound(&ours);
    for number in 1..=7 {
        publish(&ours, &bus, number).await.expect("published");
    }
    theirs.faults().set(StorageFaults { reordered: vec![(CONSUMER, 3)], ..StorageFaults::default() });
    let tasks = consume(&theirs, &Arc::default(), Arc::new(Stuttering(bus.outbox().clone())));
    eventually("seven events", async || heard(&theirs).await.len() >= 7).await;
    publish(&ours, &bus, 8).await.expect("published");
    eventually("an eighth", async || heard(&theirs).await.contains(&8)).await;
    tasks.finish(Duration::from_secs(1)).await;
    // Of 3, 3 and 1 the last of each comes first; the seventh changes places with what is delivered again.
    let mut heard = heard(&theirs).await;
    assert_eq!(heard[..6], [3, 1, 2, 6, 4, 5]);
    heard.sort_unstable();
    assert_eq!(heard, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(numbers(&theirs, "SELECT seq FROM inbox_offset").await, [8], "nothing is missing before it");
}

pub async fn an_event_waits_for_whom_its_handler_asks(place: Place) {
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let bus = outbound(&ours);
    let ledger = Arc::new(Ledger::default());
    ledger.alone.store(true, Ordering::SeqCst);
    let tasks = consume(&theirs, &ledger, Arc::new(bus.outbox().clone()));
    publish(&ours, &bus, 1).await.expect("published");
    // One try more than an event gets that is refused for what it is.
    eventually("a sixth try", async || ledger.asked.load(Ordering::SeqCst) >= 6).await;
    assert!(heard(&theirs).await.is_empty(), "not without being asked");
    ledger.alone.store(false, Ordering::SeqCst);
    eventually("the event", async || heard(&theirs).await == [1]).await;
    assert_eq!(numbers(&theirs, "SELECT COUNT(*) FROM dead_letters").await, [0]);
    tasks.finish(Duration::from_secs(1)).await;
}

pub async fn a_replaced_database_is_heard_from_its_beginning(place: Place) {
    let theirs = database(&place, "theirs").await;
    for (name, first) in [("before", 1), ("after", 11)] {
        let ours = database(&place, name).await;
        let bus = outbound(&ours);
        for number in first..first + 3 {
            publish(&ours, &bus, number).await.expect("published");
        }
        let tasks = consume(&theirs, &Arc::default(), Arc::new(bus.outbox().clone()));
        // A position of the old database is none of the new one.
        publish(&ours, &bus, first + 3).await.expect("published");
        let last = i64::try_from(first + 3).expect("small");
        eventually(name, async || heard(&theirs).await.contains(&last)).await;
        tasks.finish(Duration::from_secs(1)).await;
    }
    assert_eq!(heard(&theirs).await, [1, 2, 3, 4, 11, 12, 13, 14]);
}

pub async fn copies_of_a_consumer_share_its_events(place: Place) {
    let ours = database(&place, "ours").await;
    let bus = outbound(&ours);
    let shared = Options { shared: true, ..Options::default() };
    let (one, other) = (open(&place, "theirs", shared).await, open(&place, "theirs", shared).await);
    let source: Arc<dyn Source> = Arc::new(bus.outbox().clone());
    let copies = [consume(&one, &Arc::default(), source.clone()), consume(&other, &Arc::default(), source)];
    for number in 1..=30 {
        publish(&ours, &bus, number).await.expect("published");
    }
    eventually("thirty events", async || heard(&one).await.len() >= 30).await;
    for tasks in copies {
        tasks.finish(Duration::from_secs(1)).await;
    }
    assert_eq!(heard(&one).await, (1..=30).collect::<Vec<_>>(), "once each, in order");
}
