//! A broker of the test's own between two databases, and what relays and consumes there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use contract::broker::BrokerAddress;
use contract::{Event, Pending, Refusal};
use nats_server::scratch::Scratch;
use runtime::Tasks;
use storage::nats::{Broker, BrokerOptions, BrokerSource, Relay};
use storage::{Batch, Bus, Database, Position, Source};
use tempfile::TempDir;

use crate::ground::*;

pub const TOKEN: &str = "5e3c437";
/// How far a relay knows itself to be acknowledged.
pub const MARK: &str = "SELECT seq FROM inbox_offset WHERE consumer = 'outbox relay'";

/// A server of the test's own, and two databases with what lies between them.
pub struct Ground {
    pub server: Scratch,
    pub place: Place,
    _folder: TempDir,
}

impl Ground {
    /// `None`, with the reason printed, where no server can be had.
    pub fn start() -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let server =
            Scratch::start(folder.path(), TOKEN).inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
        Some(Self { server, place: Place::file(), _folder: folder })
    }

    pub fn options(&self) -> BrokerOptions {
        BrokerOptions {
            address: BrokerAddress::loopback(self.server.port),
            credentials: TOKEN.into(),
            name: "test".into(),
        }
    }

    pub async fn broker(&self) -> Broker {
        Broker::connect(&self.options(), "test").await.expect("connects in the background")
    }

    /// Relays what a bus publishes.
    pub async fn relay(&self, db: &Database, bus: &Bus) -> Running {
        relay(self.broker().await, db, bus)
    }

    /// Consumes into a database what the broker delivers, and what `outbox` has where that lacks something.
    pub async fn consume(&self, db: &Database, ledger: &Arc<Ledger>, outbox: Arc<dyn Source>) -> Running {
        let source = BrokerSource::new(self.broker().await, PUBLISHER, CONSUMER, outbox);
        Running(consume(db, ledger, Arc::new(source)))
    }

    /// The publisher's stream, as another client sees it.
    pub async fn stream(&self) -> Stream {
        let client = async_nats::ConnectOptions::with_token(TOKEN.into())
            .connect(self.options().address.to_string())
            .await
            .expect("it runs");
        async_nats::jetstream::new(client).get_stream("test-photo").await.expect("it is there")
    }

    /// Messages that the stream holds.
    pub async fn messages(&self) -> u64 {
        self.stream().await.get_info().await.expect("it answers").state.messages
    }
}

pub fn relay(broker: Broker, db: &Database, bus: &Bus) -> Running {
    let tasks = Tasks::new();
    let topics = vec![Posted::TOPIC, Withdrawn::TOPIC];
    Relay { broker, db: db.clone(), publisher: PUBLISHER, topics }.start(bus, &tasks);
    Running(tasks)
}

/// A relay or a consumer at work.
pub struct Running(Tasks);

impl Running {
    /// Ends it where it stands.
    pub async fn end(self) {
        self.0.finish(Duration::from_secs(1)).await;
    }
}

/// An outbox that no consumer should have to read, and how often one did.
#[derive(Default)]
pub struct Unneeded(pub AtomicU32);

impl Source for Unneeded {
    fn pull<'a>(&'a self, _: &'a str, _: &'a Position, _: u32, _: Duration) -> Pending<'a, Batch> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Err(Refusal::unavailable("unneeded", "the broker has all"))))
    }
}

pub fn outbox(bus: &Bus) -> Arc<dyn Source> {
    Arc::new(bus.outbox().clone()) as Arc<dyn Source>
}

pub async fn publish_all(db: &Database, bus: &Bus, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        publish(db, bus, number).await.expect("published");
    }
}

pub fn in_order(last: i64) -> Vec<i64> {
    (1..=last).collect()
}
