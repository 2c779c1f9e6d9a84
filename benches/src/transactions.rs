//! Transactions of a client that are timed: a point read and a one-row commit through the seam of `platform/storage`.

use std::time::Duration;

use contract::ComponentName;
use runtime::random::RandomStream;
use runtime::{ShutdownPolicy, Tasks, clock};
use storage::{Database, Dialect, Migration, Options, StorageError, query};

/// Rows that are read: with their index they fit in the 16 MB of buffers that a server has here.
const ROWS: u64 = 10_000;
/// Of text in a row, bytes.
pub const BODY: usize = 250;

const TABLES: &[Migration] = &[Migration {
    version: 1,
    name: "rows that are read, and rows that are written",
    sql: "CREATE TABLE item (id BIGINT PRIMARY KEY, body TEXT NOT NULL);
          CREATE TABLE written (number BIGINT NOT NULL, body TEXT NOT NULL);
          INSERT INTO item WITH RECURSIVE series (number) AS
              (SELECT 1 UNION ALL SELECT number + 1 FROM series WHERE number < 10000)
              SELECT number, hex(zeroblob(125)) FROM series;",
    postgres: Some(
        "CREATE TABLE item (id BIGINT PRIMARY KEY, body TEXT NOT NULL);
         CREATE TABLE written (number BIGINT NOT NULL, body TEXT NOT NULL);
         INSERT INTO item SELECT number, repeat('x', 250) FROM generate_series(1, 10000) AS number;",
    ),
}];

/// A database with the rows.
///
/// # Errors
/// As [`Database::open`].
pub async fn database(
    location: impl Into<storage::Location>,
    options: Options,
) -> Result<Database, StorageError> {
    let db = Database::open(location, options).await?;
    db.migrate(ComponentName::of("compare"), TABLES).await?;
    Ok(db)
}

/// What is done.
#[derive(Clone, Copy)]
pub enum Work {
    /// One row by its key.
    PointRead,
    /// A transaction of one row.
    OneRowCommit,
}

impl Work {
    /// In the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PointRead => "point read",
            Self::OneRowCommit => "one-row commit",
        }
    }

    /// Returns what it was done on.
    async fn run(self, db: &Database, random: &mut RandomStream, body: &str) -> Dialect {
        let id = (random.next_u64() % ROWS + 1).cast_signed();
        match self {
            Self::PointRead => {
                let mut read = db.read().await.expect("a connection");
                let select = query("SELECT", "item", "SELECT body FROM item WHERE id = $1").bind(id);
                let found: String = select.one(&mut read).await.expect("it is there");
                assert_eq!(found.len(), BODY);
                read.dialect()
            }
            Self::OneRowCommit => {
                let mut tx = db.write().await.expect("a connection");
                let insert = "INSERT INTO written (number, body) VALUES ($1, $2)";
                let insert = query("INSERT", "written", insert).bind(id).bind(body);
                insert.execute(tx.conn()).await.expect("written");
                let dialect = tx.conn().dialect();
                tx.commit().await.expect("committed");
                dialect
            }
        }
    }
}

/// What a contestant did in its time.
pub struct Measurement {
    /// CPU of the client for a transaction, us.
    pub cpu_us: f64,
    /// Transactions a second.
    pub per_s: f64,
    /// Median latency, us.
    pub p50_us: f64,
}

/// Runs them for so long, each in flight in a task of its own, as requests are.
///
/// # Panics
/// When one fails.
pub async fn measure(
    tasks: Tasks,
    db: Database,
    work: Work,
    in_flight: u32,
    length: Duration,
) -> Measurement {
    run_for(&tasks, &db, work, in_flight, length / 4).await;
    let (began, cpu_before) = (clock::now(), clock::process_cpu_ns());
    let mut latencies = run_for(&tasks, &db, work, in_flight, length).await;
    let (took, cpu_ns) = (clock::now() - began, clock::process_cpu_ns() - cpu_before);
    latencies.sort_unstable();
    Measurement {
        cpu_us: cpu_ns as f64 / 1e3 / latencies.len() as f64,
        per_s: latencies.len() as f64 / took.as_secs_f64(),
        p50_us: latencies[latencies.len() / 2] as f64 / 1e3,
    }
}

/// The latencies of all that began within that time, ns.
async fn run_for(tasks: &Tasks, db: &Database, work: Work, in_flight: u32, length: Duration) -> Vec<u64> {
    let until = clock::now() + length;
    let slot = |number: u32| {
        let db = db.clone();
        tasks.spawn("compare.slot", ShutdownPolicy::Drain, async move {
            let mut random = RandomStream::new(number.into(), "compare");
            let (body, mut latencies) = ("x".repeat(BODY), Vec::new());
            loop {
                let began = clock::now();
                if began >= until {
                    return latencies;
                }
                let dialect = work.run(&db, &mut random, &body).await;
                latencies.push((clock::now() - began).as_nanos() as u64);
                if dialect == Dialect::Sqlite {
                    // Nothing waits: the others would not have their turn.
                    tokio::task::yield_now().await;
                }
            }
        })
    };
    let slots: Vec<_> = (0..in_flight).map(slot).collect();
    let mut all = Vec::new();
    for slot in slots {
        all.append(&mut slot.await.expect("no panic").expect("it is not dropped"));
    }
    all
}
