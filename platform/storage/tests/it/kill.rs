//! SIGKILL at any moment: what was acknowledged is there, once; what was not is there whole or not at all.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storage::Source;

use crate::ground::*;

/// The variable with the place of the child.
pub const PLACE: &str = "STORAGE_TEST_PLACE";
/// Kills; a life ends after that many acknowledged writes, another number each time.
const LIVES: u64 = 20;
/// Writers of a process at once: enough that several commits wait for each sync.
const WRITERS: usize = 8;

/// A publisher: writes and prints what is acknowledged, until killed.
/// Runs as a process of its own, started by the test below.
#[tokio::test]
#[ignore = "the child of a_killed_publisher_and_consumer_lose_and_double_nothing"]
async fn a_life() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let place = Place::of(&place);
    let open = async |name: &str| {
        storage::Database::open(place.location(name), storage::Options::default())
            .await
            .expect("a database opens")
    };
    let (ours, theirs) = (open("ours").await, open("theirs").await);
    let bus = outbound(&ours);
    let _consuming = consume(&theirs, &Arc::default(), Arc::new(bus.outbox().clone()) as Arc<dyn Source>);
    let first: i64 = numbers(&ours, "SELECT COALESCE(MAX(number), 0) FROM written").await[0];
    for number in first.cast_unsigned() + 1.. {
        publish(&ours, &bus, number).await.expect("published");
        println!("acknowledged {number}");
    }
}

/// Many writers at once, each of which prints what is acknowledged, until killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of of_many_writers_a_kill_loses_nothing_that_was_acknowledged"]
async fn a_life_of_many_writers() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let location = Place::of(&place).location("many");
    let db = storage::Database::open(location, storage::Options::default()).await.expect("a database opens");
    let first: i64 = numbers(&db, "SELECT COALESCE(MAX(number), 0) FROM written").await[0];
    let next = Arc::new(AtomicU64::new(first.cast_unsigned() + 1));
    let mut writers = tokio::task::JoinSet::<()>::new();
    for _ in 0..WRITERS {
        let (db, next) = (db.clone(), next.clone());
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let mut tx = db.write().await.expect("the turn comes");
                say(&mut tx, number).await;
                tx.commit().await.expect("commits");
                println!("acknowledged {number}");
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("no writer panics");
    }
}

pub async fn of_many_writers_a_kill_loses_nothing_that_was_acknowledged(place: Place) {
    database(&place, "many").await.close().await;
    let acknowledged = acknowledged_in_lives("kill::a_life_of_many_writers", &place);
    let written = numbers(&database(&place, "many").await, "SELECT number FROM written").await;
    let kept: BTreeSet<i64> = written.into_iter().collect();
    assert!(acknowledged.is_subset(&kept), "an acknowledged write is gone");
}

/// Starts a child as often as it is killed: all that it printed as acknowledged.
fn acknowledged_in_lives(child: &str, place: &Place) -> BTreeSet<i64> {
    let place = place.handle();
    let lives = (0..LIVES).map(|life| {
        let writes = 3 + (life * 7 % 11) as usize;
        acknowledged_in_life(child, &[(PLACE, place.as_str())], writes, || ())
    });
    lives.flatten().collect()
}

/// Starts a child, and kills it after so many acknowledged writes and what is done `before` its end: all that it printed as
/// acknowledged.
pub fn acknowledged_in_life(
    child: &str,
    variables: &[(&str, &str)],
    writes: usize,
    before: impl FnOnce(),
) -> BTreeSet<i64> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", child, "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut printed = lines
        .by_ref()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("acknowledged ").and_then(|number| number.parse::<i64>().ok()));
    let mut acknowledged: BTreeSet<i64> = printed.by_ref().take(writes).collect();
    before();
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    // What it still printed before it died was acknowledged as well.
    acknowledged.extend(printed);
    acknowledged
}

pub async fn a_killed_publisher_and_consumer_lose_and_double_nothing(place: Place) {
    for name in ["ours", "theirs"] {
        database(&place, name).await.close().await;
    }
    let acknowledged = acknowledged_in_lives("kill::a_life", &place);
    let (ours, theirs) = (database(&place, "ours").await, database(&place, "theirs").await);
    let written = numbers(&ours, "SELECT number FROM written ORDER BY number").await;
    assert!(acknowledged.iter().all(|number| written.contains(number)), "an acknowledged write is gone");
    let bus = outbound(&ours);
    let tasks = consume(&theirs, &Arc::default(), Arc::new(bus.outbox().clone()));
    eventually("the rest", async || heard(&theirs).await.len() >= written.len()).await;
    tasks.finish(Duration::from_secs(1)).await;
    assert_eq!(heard(&theirs).await, written, "every write was applied once, in order");
}
