//! SIGKILL of a PostgreSQL server, of one of its backends, and of the process that publishes and consumes, in any order: what was
//! acknowledged is there once, its event is applied once and in order, with a key and without.
//!
//! `STORAGE_TEST_KILLS` says how many kills, `STORAGE_TEST_SEED` in which order. `lab/tests/it/torture` asks the same of whole arms.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use contract::Refusal;
use postgres_server::scratch::OwnServer;
use runtime::random::RandomStream;
use storage::{Bus, Database, Source, idempotency, query};

use crate::ground::*;

/// The variables with the place of the child, and with its number.
const PLACE: &str = "STORAGE_TEST_PLACE";
const LIFE: &str = "STORAGE_TEST_LIFE";
/// Before a write is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(5);
/// More writes than a life gets to: numbers of different lives differ.
const NUMBERS_PER_LIFE: u64 = 1_000_000;

/// A setting of the test.
fn setting<T: FromStr>(name: &str, default: T) -> T {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} = `{text}`: expected a number"))
}

/// A write that takes effect once where it has a key, however often it is sent.
async fn write(db: &Database, bus: &Bus, number: u64, key: Option<&str>) -> Result<(), Refusal> {
    let mut tx = db.write().await?;
    if let Some(key) = key {
        let kept = idempotency::stored_reply::<u64>(&mut tx, PUBLISHER, 1, key, 7).await?;
        if kept.is_some() {
            return Ok(());
        }
    }
    let insert = query("INSERT", "written", "INSERT INTO written (number) VALUES ($1)");
    insert.bind(number.cast_signed()).execute(tx.conn()).await?;
    bus.publish(&context(), &mut tx, format!("posted-{number}"), &Posted { number }).await?;
    if let Some(key) = key {
        idempotency::store_reply(&mut tx, PUBLISHER, 1, key, 7, &number).await?;
    }
    Ok(tx.commit().await?)
}

/// Opens a database, once its server accepts connections.
async fn open_when_up(place: &Place, name: &str) -> Database {
    loop {
        let opened = Database::open(place.location(name), storage::Options::default()).await;
        match opened {
            Ok(db) => return db,
            Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
        }
    }
}

/// A publisher and a consumer that outlive their server: writes and prints what is acknowledged, until killed.
/// Runs as a process of its own, started by the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of what_was_acknowledged_survives_every_kill"]
async fn a_life() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let (place, life) = (Place::of(&place), setting::<u64>(LIFE, 0));
    let (ours, theirs) = (open_when_up(&place, "ours").await, open_when_up(&place, "theirs").await);
    let bus = outbound(&ours);
    let _consuming = consume(&theirs, &Arc::default(), Arc::new(bus.outbox().clone()) as Arc<dyn Source>);
    for number in life * NUMBERS_PER_LIFE.. {
        let key = format!("key of {number}");
        if number.is_multiple_of(3) {
            // Once, without a key.
            match write(&ours, &bus, number, None).await {
                Ok(()) => println!("acknowledged {number}"),
                Err(_) => println!("unknown {number}"),
            }
            continue;
        }
        while let Err(refusal) = write(&ours, &bus, number, Some(&key)).await {
            assert!(refusal.kind.is_failure(), "{refusal}");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        println!("acknowledged {number}");
    }
}

/// A life that goes on, as its lines show it.
struct Life {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Life {
    fn start(place: &Place, number: u64) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "server_kill::a_life", "--ignored", "--nocapture"])
            .env(PLACE, place.handle())
            .env(LIFE, number.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, lines }
    }

    /// Reads acknowledgements: so many, or all that it has printed before it was killed.
    fn read(&mut self, most: usize, writes: &mut Writes) -> usize {
        let mut read = 0;
        while read < most {
            let Some(Ok(line)) = self.lines.next() else { break };
            let number = |what: &str| line.strip_prefix(what).and_then(|number| number.parse::<i64>().ok());
            if let Some(number) = number("acknowledged ") {
                writes.acknowledged.insert(number);
                read += 1;
            } else if let Some(number) = number("unknown ") {
                writes.unknown.insert(number);
            }
        }
        read
    }

    fn kill(&mut self) {
        // It may have ended by itself, which the next read finds.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What lives have printed of their writes.
#[derive(Default)]
struct Writes {
    acknowledged: BTreeSet<i64>,
    /// Sent once, and not acknowledged.
    unknown: BTreeSet<i64>,
}

/// A process of a server that works for a client: `postgres: cleave postgres [local] idle`.
fn backends(server: u32) -> Vec<u32> {
    let read = |pid: u32, file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let text = |pid: u32, file: &str| String::from_utf8_lossy(&read(pid, file)).into_owned();
    let parent = format!("PPid:\t{server}\n");
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| text(*pid, "status").contains(&parent))
        .filter(|pid| text(*pid, "cmdline").contains(" [local] "))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_every_kill() {
    let mut server = match OwnServer::start() {
        Ok(server) => server,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let place = Place::Server(server.url(), "killed".to_owned());
    for name in ["ours", "theirs"] {
        database(&place, name).await.close().await;
    }
    let (kills, seed) = (setting::<u64>("STORAGE_TEST_KILLS", 15), setting::<u64>("STORAGE_TEST_SEED", 1));
    let mut draws = RandomStream::new(seed, "kills");
    let mut draw = |below: u64| draws.next_u64() % below;
    let (mut writes, mut counts) = (Writes::default(), BTreeMap::new());
    let (mut lives, mut life) = (1, Life::start(&place, 1));
    for _ in 0..kills {
        let expected = 2 + draw(12) as usize;
        assert_eq!(life.read(expected, &mut writes), expected, "it goes on after a kill: {counts:?}");
        let kind = ["process", "backend", "server"][draw(3) as usize];
        *counts.entry(kind).or_insert(0) += 1;
        match kind {
            "process" => {
                life.kill();
                life.read(usize::MAX, &mut writes);
                lives += 1;
                life = Life::start(&place, lives);
            }
            "backend" => {
                // After the kill of one the server ends all, and some lines of before may still be unread.
                let mut found = Vec::new();
                eventually("a backend", async || {
                    found = backends(server.pid());
                    !found.is_empty()
                })
                .await;
                let killed = found[draw(found.len() as u64) as usize];
                // It may have ended meanwhile.
                let _ = Command::new("kill").args(["-KILL", &killed.to_string()]).status();
            }
            _ => {
                server.kill();
                server.start_again().expect("it comes back");
            }
        }
    }
    assert_eq!(life.read(2, &mut writes), 2, "it goes on after the last kill");
    life.kill();
    life.read(usize::MAX, &mut writes);
    audit(&place, &writes).await;
    println!(
        "{kills} kills: {counts:?}; {} acknowledged, {} without an answer: 0 lost, 0 doubled, 0 not applied",
        writes.acknowledged.len(),
        writes.unknown.len()
    );
}

/// Looks for every write, and for its effect once a consumer has caught up.
async fn audit(place: &Place, writes: &Writes) {
    let (ours, theirs) = (open_when_up(place, "ours").await, open_when_up(place, "theirs").await);
    let open = "SELECT COUNT(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";
    eventually("transactions of the last life", async || numbers(&ours, open).await == [0]).await;
    let bus = outbound(&ours);
    let tasks = consume(&theirs, &Arc::default(), Arc::new(bus.outbox().clone()));
    let written = numbers(&ours, "SELECT number FROM written ORDER BY number").await;
    let once: BTreeSet<i64> = written.iter().copied().collect();
    assert_eq!(once.len(), written.len(), "a write took effect twice");
    let lost: Vec<&i64> = writes.acknowledged.difference(&once).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    eventually("every effect", async || heard(&theirs).await.len() >= written.len()).await;
    tasks.finish(Duration::from_secs(1)).await;
    let mut read = ours.read().await.expect("a reader");
    let ids = query("SELECT", "outbox", "SELECT id FROM outbox ORDER BY seq").all::<String>(&mut read).await;
    let published: Vec<i64> = ids
        .expect("readable")
        .iter()
        .map(|id| id.trim_start_matches("posted-").parse().expect("a number"))
        .collect();
    assert_eq!(heard(&theirs).await, published, "each event once, in order");
    assert_eq!(numbers(&theirs, "SELECT COUNT(*) FROM dead_letters").await, [0]);
    assert_eq!(published.len(), written.len(), "an event for each write");
}
