//! An event in a broker, and who asks for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::{CallContext, ComponentName, Deadline, Event, Id, Pending, Refusal};
use follower_api::Followed;
use runtime::{Tasks, clock};
use storage::nats::{Broker, BrokerOptions, BrokerSource, Relay};
use storage::{Batch, Bus, Database, Options, OutboundTopics, Position, Source};

const FOLLOWER: ComponentName = ComponentName::of("follower");
/// A test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// An outbox that has nothing: what is read comes from the broker.
struct Unneeded;

impl Source for Unneeded {
    fn pull<'a>(&'a self, _: &'a str, _: &'a Position, _: u32, _: Duration) -> Pending<'a, Batch> {
        Box::pin(std::future::ready(Err(Refusal::unavailable("unneeded", "the broker has all"))))
    }
}

/// Publishes an event, and relays it until the broker has it.
pub async fn publish_one(options: &BrokerOptions, folder: &Path) {
    let db = Database::open(folder.join("outbox.db"), Options::default()).await.expect("opens");
    let bus = Bus::new(db.clone(), OutboundTopics::without_known_consumers([Followed::TOPIC]));
    let event = Followed { follower: Id::new(1), followee: Id::new(2) };
    let cx = CallContext::background(FOLLOWER, Deadline::after(clock::now(), PATIENCE));
    let mut tx = db.write().await.expect("the turn");
    bus.publish(&cx, &mut tx, "1-2".into(), &event).await.expect("published");
    tx.commit().await.expect("committed");
    let broker = Broker::connect_now(options, "test").await.expect("it runs");
    let (tasks, topics) = (Tasks::new(), vec![Followed::TOPIC]);
    Relay { broker, db: db.clone(), publisher: FOLLOWER, topics }.start(&bus, &tasks);
    assert!(read_one(options, ComponentName::of("first")).await, "it is relayed");
    tasks.finish(Duration::from_secs(1)).await;
    db.close().await;
}

/// Whether the broker delivers that event to a consumer.
pub async fn read_one(options: &BrokerOptions, reader: ComponentName) -> bool {
    let broker = Broker::connect_now(options, reader.as_str()).await.expect("it runs");
    let source = BrokerSource::new(broker, FOLLOWER, reader, Arc::new(Unneeded));
    let until = clock::now() + PATIENCE;
    let mut at = Position::default();
    while clock::now() < until {
        let Ok(batch) = source.pull(Followed::TOPIC, &at, 1, Duration::from_millis(200)).await else {
            continue;
        };
        if let Some(row) = batch.rows.first() {
            return row.id == "1-2" && row.topic == Followed::TOPIC;
        }
        // The first answer names the database that the positions are of.
        at.epoch = batch.epoch.unwrap_or(at.epoch);
    }
    false
}
