//! What the outbox keeps, for which consumers, and how long.

use std::time::Duration;

use contract::{ComponentName, Event};
use runtime::Tasks;
use storage::{Bus, OutboundTopics, Position};

use crate::ground::*;

const SEARCH: ComponentName = ComponentName::of("search");

pub async fn rows_go_when_all_have_applied_them_and_not_before(place: Place) {
    let db = database(&place, "ours").await;
    let mut outbound = OutboundTopics::default();
    outbound.add(Posted::TOPIC, CONSUMER);
    outbound.add(Posted::TOPIC, SEARCH);
    let bus = Bus::new(db.clone(), outbound);
    for number in 1..=5 {
        publish(&db, &bus, number).await.expect("published");
    }
    let outbox = bus.outbox();
    assert_eq!(outbox.waiting().await.expect("counts"), 5);
    let at = |seq| Position { epoch: db.epoch().to_owned(), seq };
    outbox.applied(Posted::TOPIC, CONSUMER, &Position { epoch: "another database".into(), seq: 5 });
    assert_eq!(outbox.waiting().await.expect("counts"), 5, "a position elsewhere says nothing");
    outbox.applied(Posted::TOPIC, CONSUMER, &at(5));
    assert_eq!(outbox.waiting().await.expect("counts"), 5, "for the other");
    assert_eq!(outbox.trim().await.expect("trims"), 0, "of the other consumer nothing is known");
    outbox.applied(Posted::TOPIC, ComponentName::of("stranger"), &at(1));
    outbox.applied(Posted::TOPIC, SEARCH, &at(3));
    assert_eq!(outbox.waiting().await.expect("counts"), 2);
    assert_eq!(outbox.trim().await.expect("trims"), 3);
    outbox.applied(Posted::TOPIC, SEARCH, &at(2));
    assert_eq!(outbox.trim().await.expect("trims"), 0, "an old word takes nothing back");
    let left = outbox.pull(Posted::TOPIC, 0, 10, Duration::ZERO).await.expect("readable");
    assert_eq!(left.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [4, 5]);
    publish(&db, &bus, 6).await.expect("published");
    let next = outbox.pull(Posted::TOPIC, 5, 10, Duration::ZERO).await.expect("readable");
    assert_eq!(next.rows[0].seq, 6, "positions are never given twice");
}

pub async fn rows_for_whom_it_may_concern_stay(place: Place) {
    let db = database(&place, "ours").await;
    let bus = Bus::new(db.clone(), OutboundTopics::without_known_consumers([Posted::TOPIC]));
    publish(&db, &bus, 1).await.expect("published");
    bus.outbox().applied(Posted::TOPIC, CONSUMER, &Position { epoch: db.epoch().to_owned(), seq: 1 });
    assert_eq!(bus.outbox().waiting().await.expect("counts"), 0, "no consumer is waited for");
    assert_eq!(bus.outbox().trim().await.expect("trims"), 0);
}

pub async fn a_pull_waits_for_the_first_event_and_gets_no_more_than_it_asked_for(place: Place) {
    let db = database(&place, "ours").await;
    let bus = outbound(&db);
    let waiting = bus.outbox().pull(Posted::TOPIC, 0, 2, Duration::from_secs(30));
    let (batch, published) = tokio::join!(waiting, publish(&db, &bus, 1));
    published.expect("published");
    assert_eq!(batch.expect("woken by the commit").rows.len(), 1);
    publish(&db, &bus, 2).await.expect("published");
    publish(&db, &bus, 3).await.expect("published");
    let two = bus.outbox().pull(Posted::TOPIC, 0, 2, Duration::ZERO).await.expect("readable");
    assert_eq!(two.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(two.rows[1].open::<Posted>().expect("its own event"), Posted { number: 2 });
    let none = bus.outbox().pull(Withdrawn::TOPIC, 0, 2, Duration::ZERO).await.expect("readable");
    assert!(none.rows.is_empty(), "another topic has its own events");
}

pub async fn only_publishers_that_write_twice_publish_after_the_commit(place: Place) {
    let db = database(&place, "ours").await;
    let tasks = Tasks::new();
    let mut bus = outbound(&db);
    bus.dual_write(tasks.clone(), &[ComponentName::of("profile")]);
    publish(&db, &bus, 1).await.expect("published");
    let here = bus.outbox().pull(Posted::TOPIC, 0, 2, Duration::ZERO).await.expect("readable");
    assert_eq!(here.rows.len(), 1, "photo has its outbox: the row is there with the commit");
    bus.dual_write(tasks.clone(), &[ComponentName::of(Posted::COMPONENT)]);
    publish(&db, &bus, 2).await.expect("published");
    let late = bus.outbox().pull(Posted::TOPIC, 1, 2, Duration::from_secs(30)).await.expect("readable");
    assert_eq!(late.rows.len(), 1, "it comes after the commit");
    tasks.finish(Duration::from_secs(1)).await;
}
