//! What a subscriber calls others for: before the turn to write, checked in it, and asked again where it is outdated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::{CallContext, Pending, Refusal, RefusalKind};
use storage::subscriber::MAX_GATHERINGS;
use storage::{Bus, Database, Effect, GatheringSubscriber, OutboundTopics, Tx, query};

use crate::ground::*;

/// A subscriber whose replies hold while no row is added to `changed`. Every step is written to a log.
struct Cautious {
    db: Database,
    /// Rows that come right after the replies were gathered, one each time.
    interruptions: AtomicU32,
    /// Whether the component that it calls is away.
    is_alone: bool,
    log: Mutex<Vec<&'static str>>,
}

impl Cautious {
    fn new(db: &Database, interruptions: u32) -> Arc<Self> {
        let interruptions = AtomicU32::new(interruptions);
        Arc::new(Self { db: db.clone(), interruptions, is_alone: false, log: Mutex::default() })
    }

    fn note(&self, step: &'static str) {
        self.log.lock().expect("no panic while held").push(step);
    }

    fn log(&self) -> Vec<&'static str> {
        self.log.lock().expect("no panic while held").clone()
    }
}

async fn changes(tx: &mut Tx) -> i64 {
    query("SELECT", "changed", "SELECT COUNT(*) FROM changed").one(tx.conn()).await.expect("readable")
}

async fn hear(tx: &mut Tx, number: u64) {
    let insert = query("INSERT", "heard", "INSERT INTO heard (number) VALUES ($1)");
    insert.bind(number.cast_signed()).execute(tx.conn()).await.expect("a row");
}

impl GatheringSubscriber<Posted> for Cautious {
    type Gathered = i64;

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a Posted) -> Pending<'a, i64> {
        Box::pin(async move {
            self.note("gather");
            if self.is_alone {
                return Err(Refusal::unavailable("away", "no instance is there"));
            }
            let seen = numbers(&self.db, "SELECT COUNT(*) FROM changed").await[0];
            let left = self.interruptions.load(Ordering::SeqCst);
            if left > 0 {
                self.interruptions.store(left - 1, Ordering::SeqCst);
                // Another writer gets its turn: none is held here.
                let mut tx = self.db.write().await?;
                let insert = query("INSERT", "changed", "INSERT INTO changed (number) VALUES (1)");
                insert.execute(tx.conn()).await.expect("a row");
                tx.commit().await?;
            }
            Ok(seen)
        })
    }

    fn apply_gathered<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a Posted,
        seen: i64,
    ) -> Pending<'a, Effect> {
        Box::pin(async move {
            if changes(tx).await != seen {
                self.note("outdated");
                return Ok(Effect::Outdated);
            }
            self.note("apply");
            hear(tx, event.number).await;
            Ok(Effect::Applied)
        })
    }

    fn apply_alone<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a Posted) -> Pending<'a, ()> {
        Box::pin(async move {
            self.note("apply alone");
            hear(tx, event.number).await;
            Ok(())
        })
    }
}

/// A bus over `db` with that subscriber.
fn bus_with(db: &Database, subscriber: &Arc<Cautious>) -> Bus {
    let bus = Bus::new(db.clone(), OutboundTopics::default());
    bus.subscribe::<Posted, _>(CONSUMER, subscriber.clone());
    bus
}

/// Publishes as a service does, and notes when its turn has come.
async fn publish_when_known(bus: &Bus, subscriber: &Cautious, number: u64) -> Result<(), Refusal> {
    let (cx, event) = (context(), Posted { number });
    let mut publication = bus.publication(&cx, &event);
    loop {
        publication.gather().await;
        let mut tx = subscriber.db.write().await?;
        subscriber.note("turn");
        say(&mut tx, number).await;
        if publication.publish(&mut tx, format!("posted-{number}")).await? == Effect::Applied {
            return Ok(tx.commit().await?);
        }
    }
}

pub async fn other_components_are_called_before_the_turn(place: Place) {
    let db = database(&place, "one").await;
    let subscriber = Cautious::new(&db, 0);
    let bus = bus_with(&db, &subscriber);
    publish_when_known(&bus, &subscriber, 1).await.expect("published");
    assert_eq!(subscriber.log(), ["gather", "turn", "apply"]);
    assert_eq!(heard(&db).await, [1]);
}

pub async fn a_setting_calls_them_inside_it(place: Place) {
    let db = database(&place, "one").await;
    let subscriber = Cautious::new(&db, 0);
    let mut bus = bus_with(&db, &subscriber);
    bus.call_in_transaction();
    publish_when_known(&bus, &subscriber, 1).await.expect("published");
    assert_eq!(subscriber.log(), ["turn", "gather", "apply"]);
}

pub async fn outdated_replies_give_the_turn_back_and_are_gathered_again(place: Place) {
    let db = database(&place, "one").await;
    let subscriber = Cautious::new(&db, 1);
    let bus = bus_with(&db, &subscriber);
    publish_when_known(&bus, &subscriber, 1).await.expect("published");
    assert_eq!(subscriber.log(), ["gather", "turn", "outdated", "gather", "turn", "apply"]);
    assert_eq!(heard(&db).await, [1]);
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [1], "what was given up left nothing");
}

pub async fn replies_that_never_hold_are_done_without(place: Place) {
    let db = database(&place, "one").await;
    let subscriber = Cautious::new(&db, u32::MAX);
    let bus = bus_with(&db, &subscriber);
    publish_when_known(&bus, &subscriber, 1).await.expect("published");
    let log = subscriber.log();
    let count = |step| log.iter().filter(|one| **one == step).count();
    assert_eq!((count("gather"), count("outdated")), (MAX_GATHERINGS as usize, MAX_GATHERINGS as usize));
    assert_eq!(log.last(), Some(&"apply alone"));
    assert_eq!(heard(&db).await, [1]);
}

pub async fn an_event_that_an_effect_publishes_asks_nothing(place: Place) {
    let db = database(&place, "one").await;
    let subscriber = Cautious::new(&db, 0);
    let bus = bus_with(&db, &subscriber);
    publish(&db, &bus, 1).await.expect("published");
    assert_eq!(subscriber.log(), ["apply alone"]);
    assert_eq!(heard(&db).await, [1]);
}

pub async fn a_call_that_fails_is_heard_of_in_the_transaction(place: Place) {
    let db = database(&place, "one").await;
    let mut subscriber = Cautious::new(&db, 0);
    Arc::get_mut(&mut subscriber).expect("the only handle so far").is_alone = true;
    let bus = bus_with(&db, &subscriber);
    let refusal = publish_when_known(&bus, &subscriber, 1).await.expect_err("the effect needs its replies");
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert_eq!(subscriber.log(), ["gather", "turn"], "a repeat would have found its first reply there");
    assert_eq!(numbers(&db, "SELECT COUNT(*) FROM written").await, [0]);
}

pub async fn a_consumer_gathers_again_as_a_publisher_does(place: Place) {
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let bus = outbound(&ours);
    let subscriber = Cautious::new(&theirs, 1);
    let tasks = consume_with(&theirs, &subscriber, Arc::new(bus.outbox().clone()));
    publish(&ours, &bus, 1).await.expect("published");
    eventually("the event", async || heard(&theirs).await == [1]).await;
    assert_eq!(subscriber.log(), ["gather", "outdated", "gather", "apply"]);
    subscriber.interruptions.store(u32::MAX, Ordering::SeqCst);
    publish(&ours, &bus, 2).await.expect("published");
    eventually("the next", async || heard(&theirs).await == [1, 2]).await;
    assert_eq!(subscriber.log().last(), Some(&"apply alone"));
    tasks.finish(Duration::from_secs(1)).await;
}
