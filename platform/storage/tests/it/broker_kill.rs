//! SIGKILL of publisher, relay, consumer and broker at any moment: what was acknowledged is applied, once, in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use contract::Event;
use contract::broker::BrokerAddress;
use runtime::Tasks;
use storage::nats::{Broker, BrokerOptions, BrokerSource, Relay};

use crate::broker_ground::Ground;
use crate::ground::*;
use crate::kill::{PLACE, acknowledged_in_life};

/// The variable with where the child's broker is.
const BROKER: &str = "STORAGE_TEST_BROKER";
/// Kills; a life ends after that many acknowledged events, another number each time.
const LIVES: u64 = 20;
/// Lives after which the broker is killed as well: what it has acknowledged is then in the kernel's hands.
const BROKER_LIVES: u64 = 3;

/// A publisher with its relay and its consumer: writes and prints what is acknowledged, until killed.
/// Runs as a process of its own, started by the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of killed_processes_lose_and_double_nothing"]
async fn a_life() {
    let (Ok(place), Ok(broker)) = (std::env::var(PLACE), std::env::var(BROKER)) else { return };
    let place = Place::of(&place);
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let bus = outbound(&ours);
    let (address, credentials) = broker.split_once(' ').expect("as it was written");
    let address: BrokerAddress = address.parse().expect("an address");
    let options = BrokerOptions { address, credentials: credentials.into(), name: "test".into() };
    let broker = Broker::connect(&options, "life").await.expect("connects in the background");
    let tasks = Tasks::new();
    let topics = vec![Posted::TOPIC, Withdrawn::TOPIC];
    Relay { broker: broker.clone(), db: ours.clone(), publisher: PUBLISHER, topics }.start(&bus, &tasks);
    let origin = Arc::new(bus.outbox().clone());
    let source = BrokerSource::new(broker, PUBLISHER, CONSUMER, origin);
    let _consuming = consume(&theirs, &Arc::default(), Arc::new(source));
    let first: i64 = numbers(&ours, "SELECT COALESCE(MAX(number), 0) FROM written").await[0];
    for number in first.cast_unsigned() + 1.. {
        publish(&ours, &bus, number).await.expect("published");
        println!("acknowledged {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_lose_and_double_nothing() {
    let Some(mut ground) = Ground::start() else { return };
    for name in ["ours", "theirs"] {
        database(&ground.place, name).await.close().await;
    }
    let options = ground.options();
    let broker = format!("{} {}", options.address, options.credentials);
    let place = ground.place.handle();
    let variables = [(PLACE, place.as_str()), (BROKER, broker.as_str())];
    let mut acknowledged = BTreeSet::new();
    for life in 0..LIVES {
        let is_brokers_end = life % BROKER_LIVES == 0;
        let writes = 20 + (life * 7 % 31) as usize;
        acknowledged.extend(acknowledged_in_life("broker_kill::a_life", &variables, writes, || {
            if is_brokers_end {
                ground.server.kill();
            }
        }));
        if is_brokers_end {
            ground.server.start_again().expect("it comes back");
        }
    }
    let (ours, theirs) = (database(&ground.place, "ours").await, database(&ground.place, "theirs").await);
    let written = numbers(&ours, "SELECT number FROM written ORDER BY number").await;
    assert!(acknowledged.iter().all(|number| written.contains(number)), "an acknowledged write is gone");
    let bus = outbound(&ours);
    let relaying = ground.relay(&ours, &bus).await;
    let consuming = ground.consume(&theirs, &Arc::default(), Arc::new(bus.outbox().clone())).await;
    eventually("the rest", async || heard(&theirs).await.len() >= written.len()).await;
    consuming.end().await;
    relaying.end().await;
    assert_eq!(heard(&theirs).await, written, "every write was applied once, in order");
    let ids = numbers(&theirs, "SELECT COUNT(*) FROM inbox_seen").await;
    assert_eq!(ids, [i64::try_from(written.len()).expect("few")]);
}
