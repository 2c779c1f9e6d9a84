//! Databases in a place of their own, an event, and a subscriber that writes it down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use contract::{CallContext, ComponentName, Deadline, Event, Pending, Refusal};
use runtime::Tasks;
use serde::{Deserialize, Serialize};
use storage::{
    Bus, Consumer, Database, Effect, GatheringSubscriber, Migration, Options, OutboundTopics, Source, Tx,
    query,
};

pub use crate::place::Place;

pub const PUBLISHER: ComponentName = ComponentName::of("photo");
pub const CONSUMER: ComponentName = ComponentName::of("feed");

/// Long enough for a loaded machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    pub number: u64,
}

impl Event for Posted {
    const TOPIC: &'static str = "Posted";
    const COMPONENT: &'static str = "photo";
    fn key(&self) -> u64 {
        1
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub number: u64,
}

impl Event for Withdrawn {
    const TOPIC: &'static str = "Withdrawn";
    const COMPONENT: &'static str = "photo";
    fn key(&self) -> u64 {
        1
    }
}

const TABLES: &[Migration] = &[Migration {
    version: 1,
    name: "what was published, and what was applied",
    sql: "CREATE TABLE written (number BIGINT NOT NULL);
          CREATE TABLE heard (at INTEGER PRIMARY KEY AUTOINCREMENT, number BIGINT NOT NULL);
          CREATE TABLE changed (number BIGINT NOT NULL);
          CREATE TABLE kept (number BIGINT NOT NULL, text TEXT NOT NULL, bytes BYTEA NOT NULL);",
    postgres: Some(
        "CREATE TABLE written (number BIGINT NOT NULL);
         CREATE TABLE heard (at BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number BIGINT NOT NULL);
         CREATE TABLE changed (number BIGINT NOT NULL);
         CREATE TABLE kept (number BIGINT NOT NULL, text TEXT NOT NULL, bytes BYTEA NOT NULL);",
    ),
}];

pub fn context() -> CallContext {
    CallContext::background(PUBLISHER, Deadline::after(runtime::clock::now(), PATIENCE))
}

/// A fresh database, or the one of that name.
pub async fn database(place: &Place, name: &str) -> Database {
    open(place, name, Options::default()).await
}

pub async fn open(place: &Place, name: &str, options: Options) -> Database {
    let db = Database::open(place.location(name), options).await.expect("a database opens");
    db.migrate(CONSUMER, TABLES).await.expect("its tables are made");
    db
}

/// A bus whose two topics have consumers in other databases.
pub fn outbound(db: &Database) -> Bus {
    let mut outbound = OutboundTopics::default();
    outbound.add(Posted::TOPIC, CONSUMER);
    outbound.add(Withdrawn::TOPIC, CONSUMER);
    Bus::new(db.clone(), outbound)
}

/// Publishes, with a row of the publisher's own in the same transaction.
pub async fn publish(db: &Database, bus: &Bus, number: u64) -> Result<(), Refusal> {
    let mut tx = db.write().await?;
    say(&mut tx, number).await;
    bus.publish(&context(), &mut tx, format!("posted-{number}"), &Posted { number }).await?;
    Ok(tx.commit().await?)
}

pub async fn say(tx: &mut Tx, number: u64) {
    let insert = query("INSERT", "written", "INSERT INTO written (number) VALUES ($1)");
    insert.bind(number.cast_signed()).execute(tx.conn()).await.expect("a row");
}

/// Writes down what it gets. A withdrawal is written down as a negative number.
#[derive(Default)]
pub struct Ledger {
    /// How often it has begun to write down an event.
    pub begun: AtomicU32,
    /// How often it has called the component it calls first.
    pub asked: AtomicU32,
    /// Whether that component is away.
    pub alone: AtomicBool,
    /// The number it will not have.
    pub hates: Option<u64>,
}

impl Ledger {
    async fn write(&self, tx: &mut Tx, number: i64) -> Result<(), Refusal> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if self.hates.is_some_and(|hated| hated.cast_signed() == number) {
            return Err(Refusal::bad_request("hated", format!("{number} is not for me")));
        }
        let insert = query("INSERT", "heard", "INSERT INTO heard (number) VALUES ($1)");
        insert.bind(number).execute(tx.conn()).await?;
        Ok(())
    }

    fn ask(&self) -> Result<(), Refusal> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.alone.load(Ordering::SeqCst) {
            true => Err(Refusal::unavailable("away", "no instance is there")),
            false => Ok(()),
        }
    }
}

impl GatheringSubscriber<Posted> for Ledger {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a Posted) -> Pending<'a, ()> {
        Box::pin(std::future::ready(self.ask()))
    }

    fn apply_gathered<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a Posted,
        (): (),
    ) -> Pending<'a, Effect> {
        Box::pin(async move { self.write(tx, event.number.cast_signed()).await.map(|()| Effect::Applied) })
    }

    fn apply_alone<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a Posted) -> Pending<'a, ()> {
        Box::pin(self.write(tx, event.number.cast_signed()))
    }
}

impl GatheringSubscriber<Withdrawn> for Ledger {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a Withdrawn) -> Pending<'a, ()> {
        Box::pin(std::future::ready(self.ask()))
    }

    fn apply_gathered<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a Withdrawn,
        (): (),
    ) -> Pending<'a, Effect> {
        Box::pin(async move { self.write(tx, -event.number.cast_signed()).await.map(|()| Effect::Applied) })
    }

    fn apply_alone<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a Withdrawn,
    ) -> Pending<'a, ()> {
        Box::pin(self.write(tx, -event.number.cast_signed()))
    }
}

/// Starts a consumer of everything `source` has, into `db`.
pub fn consume(db: &Database, ledger: &Arc<Ledger>, source: Arc<dyn Source>) -> Tasks {
    let bus = Bus::new(db.clone(), OutboundTopics::default());
    bus.subscribe::<Posted, _>(CONSUMER, ledger.clone());
    bus.subscribe::<Withdrawn, _>(CONSUMER, ledger.clone());
    start(db, &bus, source, vec![Posted::TOPIC, Withdrawn::TOPIC])
}

/// The same of one topic, for another subscriber.
pub fn consume_with<S: GatheringSubscriber<Posted>>(
    db: &Database,
    subscriber: &Arc<S>,
    source: Arc<dyn Source>,
) -> Tasks {
    let bus = Bus::new(db.clone(), OutboundTopics::default());
    bus.subscribe::<Posted, _>(CONSUMER, subscriber.clone());
    start(db, &bus, source, vec![Posted::TOPIC])
}

fn start(db: &Database, bus: &Bus, source: Arc<dyn Source>, topics: Vec<&'static str>) -> Tasks {
    let tasks = Tasks::new();
    let consumer = Consumer {
        db: db.clone(),
        component: CONSUMER,
        publisher: PUBLISHER,
        source,
        topics,
        apply_lock: Arc::default(),
    };
    consumer.start(bus, &tasks);
    tasks
}

/// One column of numbers.
pub async fn numbers(db: &Database, select: &'static str) -> Vec<i64> {
    let mut read = db.read().await.expect("a reader");
    query("SELECT", "test", select).all(&mut read).await.expect("readable")
}

/// What was applied, in that order.
pub async fn heard(db: &Database) -> Vec<i64> {
    numbers(db, "SELECT number FROM heard ORDER BY at").await
}

/// Waits until `probe` holds.
pub async fn eventually(what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let deadline = runtime::clock::now() + PATIENCE;
    while !probe().await {
        assert!(runtime::clock::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
