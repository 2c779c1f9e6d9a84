//! An event written in a transaction, and delivered to another database.

use std::sync::Arc;

use benches::{context, runtime};
use contract::{CallContext, ComponentName, Event, Pending};
use criterion::Criterion;
use photo_api::{PhotoDeleted, PhotoId};
use profile_api::UserId;
use storage::{Bus, Consumer, Database, OutboundTopics, Source, Subscriber, Tx};
use tempfile::TempDir;
use tokio::sync::watch;

/// Counts what it hears.
struct Counting(watch::Sender<u64>);

impl Subscriber<PhotoDeleted> for Counting {
    fn apply<'a>(&'a self, _: &'a CallContext, _: &'a mut Tx, _: &'a PhotoDeleted) -> Pending<'a, ()> {
        self.0.send_modify(|heard| *heard += 1);
        Box::pin(std::future::ready(Ok(())))
    }
}

async fn database(folder: &TempDir, name: &str) -> Database {
    let file = folder.path().join(name);
    Database::open(&file, storage::Options::default()).await.expect("a fresh database opens")
}

async fn publish(db: &Database, bus: &Bus, number: u64) {
    let event = PhotoDeleted { id: PhotoId::new(number), author: UserId::new(1) };
    let mut tx = db.write().await.expect("the one writer is free");
    bus.publish(&context(), &mut tx, format!("event-{number}"), &event).await.expect("it is written");
    tx.commit().await.expect("commits");
}

pub fn outbox(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = TempDir::new().expect("a temporary folder");
    let db = runtime.block_on(database(&folder, "publisher.db"));
    let bus = Bus::new(db.clone(), OutboundTopics::without_known_consumers([PhotoDeleted::TOPIC]));
    let mut number = 0;
    let mut group = criterion.benchmark_group("outbox");
    group.sample_size(20);
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            number += 1;
            runtime.block_on(publish(&db, &bus, number));
        });
    });

    // A publisher of its own, so that there is no backlog to catch up with.
    let db = runtime.block_on(database(&folder, "fresh-publisher.db"));
    let bus = Bus::new(db.clone(), OutboundTopics::without_known_consumers([PhotoDeleted::TOPIC]));
    let theirs = runtime.block_on(database(&folder, "consumer.db"));
    let their_bus = Bus::new(theirs.clone(), OutboundTopics::default());
    let consumer_name = ComponentName::of("feed");
    let (counted_tx, mut counted) = watch::channel(0);
    their_bus.subscribe::<PhotoDeleted, _>(consumer_name, Arc::new(Counting(counted_tx)));
    let tasks = ::runtime::Tasks::new();
    let consumer = Consumer {
        db: theirs,
        component: consumer_name,
        publisher: ComponentName::of("photo"),
        source: Arc::new(bus.outbox().clone()) as Arc<dyn Source>,
        topics: vec![PhotoDeleted::TOPIC],
        apply_lock: Arc::default(),
    };
    runtime.block_on(async { consumer.start(&their_bus, &tasks) });
    let mut sent = 0;
    group.bench_function("write and deliver", |bencher| {
        bencher.iter(|| {
            sent += 1;
            runtime.block_on(async {
                publish(&db, &bus, sent).await;
                counted.wait_for(|count| *count >= sent).await.expect("the consumer lives");
            });
        });
    });
    group.finish();
    runtime.block_on(tasks.finish(std::time::Duration::from_secs(1)));
}
