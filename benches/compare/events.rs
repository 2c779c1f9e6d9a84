//! An event's way to another database, pulled over HTTP and carried by NATS JetStream: the time from the publisher's commit to the
//! commit of the effect, and how fast a backlog is drained after an outage.
//!
//! Events take the two ways in turns, one at a time, so that what disturbs one disturbs the other. Databases are SQLite files
//! whose commits are synced, as in a run; all but the broker is one process. For the backlog of each way its consumer, and the
//! broker, are away while events are published; then all that was published is counted in the consumer's database.
//!
//! ```text
//! cargo run --release -p benches --features nats --example events -- --events 2000 --backlog 100000
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::context;
use clap::Parser;
use contract::broker::BrokerAddress;
use contract::{CallContext, ComponentName, Event, Pending};
use nats_server::scratch::Scratch;
use node::outbox::{HttpSource, router};
use photo_api::{PhotoDeleted, PhotoId};
use profile_api::UserId;
use runtime::{Tasks, clock};
use storage::nats::{Broker, BrokerOptions, BrokerSource, Relay};
use storage::{Bus, Consumer, Database, Migration, OutboundTopics, Source, Subscriber, Tx, query};
use tempfile::TempDir;
use tokio::sync::watch;
use transport::{Clusters, Instance, serve};

const PUBLISHER: ComponentName = ComponentName::of("photo");
const CONSUMER: ComponentName = ComponentName::of("feed");
/// Opens the publisher's outbox, and the broker.
const TOKEN: &str = "compare";
/// Events that are published in one transaction while their consumer is away.
const EVENTS_PER_COMMIT: u64 = 100;
/// A consumer stops where it stands.
const STOP_GRACE: Duration = Duration::from_secs(1);

const TABLES: &[Migration] = &[Migration {
    version: 1,
    name: "what was applied",
    sql: "CREATE TABLE heard (number BIGINT NOT NULL)",
    postgres: None,
}];

#[derive(Parser)]
struct Arguments {
    /// Events that are timed, of each way.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Events that wait at the end of the outage.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    backlog: u64,
}

/// The last effect that is durable.
#[derive(Clone, Copy, Default)]
struct LastEffect {
    number: u64,
    at: Option<Instant>,
}

/// Writes every event down.
struct Applied(Arc<watch::Sender<LastEffect>>);

impl Subscriber<PhotoDeleted> for Applied {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a PhotoDeleted) -> Pending<'a, ()> {
        Box::pin(async move {
            let (last, number) = (self.0.clone(), event.id.raw());
            let insert = query("INSERT", "heard", "INSERT INTO heard (number) VALUES ($1)");
            insert.bind(number.cast_signed()).execute(tx.conn()).await?;
            tx.on_commit(move || {
                last.send_modify(|effect| *effect = LastEffect { number, at: Some(clock::now()) });
            });
            Ok(())
        })
    }
}

/// A publisher, what lies between, and a consumer.
struct Way {
    name: &'static str,
    publisher: Database,
    bus: Bus,
    consumer: Database,
    source: Arc<dyn Source>,
    applied: Arc<watch::Sender<LastEffect>>,
    consuming: Tasks,
    published: u64,
}

impl Way {
    async fn new(
        folder: &Path,
        name: &'static str,
        source: impl AsyncFnOnce(&Database, &Bus) -> Arc<dyn Source>,
    ) -> Self {
        let open = async |of: &str| {
            let file = folder.join(format!("{name}-{of}.db"));
            Database::open(&file, storage::Options::default()).await.expect("a fresh database opens")
        };
        let (publisher, consumer) = (open("publisher").await, open("consumer").await);
        consumer.migrate(CONSUMER, TABLES).await.expect("its table is made");
        let mut outbound = OutboundTopics::default();
        outbound.add(PhotoDeleted::TOPIC, CONSUMER);
        let bus = Bus::new(publisher.clone(), outbound);
        let source = source(&publisher, &bus).await;
        let applied = Arc::new(watch::Sender::new(LastEffect::default()));
        let mut way =
            Self { name, publisher, bus, consumer, source, applied, consuming: Tasks::new(), published: 0 };
        way.start();
        way
    }

    fn start(&mut self) {
        let bus = Bus::new(self.consumer.clone(), OutboundTopics::default());
        bus.subscribe::<PhotoDeleted, _>(CONSUMER, Arc::new(Applied(self.applied.clone())));
        let consumer = Consumer {
            db: self.consumer.clone(),
            component: CONSUMER,
            publisher: PUBLISHER,
            source: self.source.clone(),
            topics: vec![PhotoDeleted::TOPIC],
            apply_lock: Arc::default(),
        };
        self.consuming = Tasks::new();
        consumer.start(&bus, &self.consuming);
    }

    /// Publishes so many events in one transaction.
    async fn publish(&mut self, events: u64) {
        let mut tx = self.publisher.write().await.expect("the one writer is free");
        for number in self.published + 1..=self.published + events {
            let event = PhotoDeleted { id: PhotoId::new(number), author: UserId::new(1) };
            self.bus.publish(&context(), &mut tx, format!("event-{number}"), &event).await.expect("written");
        }
        tx.commit().await.expect("commits");
        self.published += events;
    }

    /// Waits for the effect of the last event that was published; when it was durable.
    async fn last_effect(&self) -> Instant {
        let mut applied = self.applied.subscribe();
        let last = applied.wait_for(|last| last.number == self.published).await.expect("its sender is here");
        last.at.expect("there is one")
    }

    /// Publishes an event, and returns the time until its effect, us.
    async fn time_one(&mut self) -> f64 {
        self.publish(1).await;
        let published = clock::now();
        let effect = self.last_effect().await;
        // The consumer may be quicker than this task.
        effect.saturating_duration_since(published).as_nanos() as f64 / 1e3
    }

    /// Every event was applied once.
    async fn check(&self) {
        let mut read = self.consumer.read().await.expect("a reader");
        let count = "SELECT COUNT(*), COUNT(DISTINCT number), MAX(number) FROM heard";
        let counts: (i64, i64, i64) = query("SELECT", "heard", count).one(&mut read).await.expect("readable");
        let expected = self.published.cast_signed();
        assert_eq!(counts, (expected, expected, expected), "{}: all, once", self.name);
    }
}

/// The publisher's outbox behind its port, as a node serves it.
async fn http_source(tasks: &Tasks, bus: &Bus) -> Arc<dyn Source> {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let router = router(vec![bus.clone()], TOKEN.into());
    let addr = serve::serve(tasks, listener, router, serve::Options::default()).addr();
    let clusters = Clusters::new();
    clusters.get(PUBLISHER).update(vec![Instance::new("photo#0", addr)]);
    Arc::new(HttpSource { publisher: PUBLISHER, consumer: CONSUMER, clusters, token: TOKEN.into() })
}

/// A relay of the publisher's outbox, and the consumer's side of the broker, which reads in the outbox what the broker lacks.
async fn broker_source(tasks: &Tasks, port: u16, db: &Database, bus: &Bus) -> Arc<dyn Source> {
    let address = BrokerAddress::loopback(port);
    let options = BrokerOptions { address, credentials: TOKEN.into(), name: "compare".into() };
    let broker = Broker::connect_now(&options, "compare").await.expect("it runs");
    let relay = Relay {
        broker: broker.clone(),
        db: db.clone(),
        publisher: PUBLISHER,
        topics: vec![PhotoDeleted::TOPIC],
    };
    relay.start(bus, tasks);
    let outbox = http_source(tasks, bus).await;
    Arc::new(BrokerSource::new(broker, PUBLISHER, CONSUMER, outbox))
}

/// The value below which this share of sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}

/// Times of events, of each way.
async fn time_events(ways: &mut [Way], events: u64) {
    let mut times = vec![Vec::new(); ways.len()];
    for number in 0..events {
        for place in 0..ways.len() {
            let at = (number as usize + place) % ways.len();
            let time = ways[at].time_one().await;
            times[at].push(time);
        }
    }
    println!("| way | events | commit to effect, p50 us | p99 us |");
    println!("|---|---|---|---|");
    for (way, times) in ways.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let [p50, p99] = [0.5, 0.99].map(|share| quantile(times, share));
        println!("| {} | {events} | {p50:.0} | {p99:.0} |", way.name);
    }
}

/// Publishes while the consumer is away, and drains.
async fn drain(way: &mut Way, backlog: u64, broker: Option<&mut Scratch>) {
    std::mem::take(&mut way.consuming).finish(STOP_GRACE).await;
    let is_of_broker = way.name == NATS;
    let mut broker = broker.filter(|_| is_of_broker);
    if let Some(broker) = &mut broker {
        broker.kill();
    }
    let until = way.published + backlog;
    while way.published < until {
        way.publish(EVENTS_PER_COMMIT.min(until - way.published)).await;
    }
    let began = clock::now();
    if let Some(broker) = &mut broker {
        broker.start_again().expect("it comes back");
    }
    way.start();
    let took = (way.last_effect().await - began).as_secs_f64();
    way.check().await;
    println!("| {} | {backlog} | {took:.1} | {:.0} |", way.name, backlog as f64 / took);
}

const HTTP: &str = "pulled over HTTP";
const NATS: &str = "NATS JetStream";

async fn compare(arguments: Arguments) {
    let Arguments { events, backlog } = arguments;
    let folder = TempDir::new().expect("a temporary folder");
    let between = Tasks::new();
    let mut broker = match Scratch::start(folder.path(), TOKEN) {
        Ok(broker) => Some(broker),
        Err(reason) => {
            eprintln!("without a broker: {reason}");
            None
        }
    };
    let mut ways = vec![
        Way::new(folder.path(), HTTP, async |_: &Database, bus: &Bus| http_source(&between, bus).await).await,
    ];
    if let Some(broker) = &broker {
        let port = broker.port;
        let source = async |db: &Database, bus: &Bus| broker_source(&between, port, db, bus).await;
        ways.push(Way::new(folder.path(), NATS, source).await);
    }
    time_events(&mut ways, events).await;
    println!("\n| way | backlog | drained in s | events a second |");
    println!("|---|---|---|---|");
    for way in &mut ways {
        drain(way, backlog, broker.as_mut()).await;
    }
    for way in ways {
        way.consuming.finish(STOP_GRACE).await;
    }
    between.finish(STOP_GRACE).await;
}

fn main() {
    // The broker lives as long as this thread, which starts it.
    benches::runtime().block_on(compare(Arguments::parse()));
}
