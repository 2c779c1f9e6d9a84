//! Positions in the outbox follow the order of commits: with the lock of the outbox, and with nothing less.
//!
//! Each cure is checked in two ways: between two commits that are laid out by hand, and by a consumer that pulls while eight
//! writers commit as fast as they can. Three cures that look sufficient are checked as well, and must lose events: a test that
//! cannot fail proves nothing of the one that holds.

use std::pin::pin;

use contract::Envelope;
use runtime::clock;

use super::{Access, Address, Connection, Opener};
use crate::dialect::{APPEND, append_values};
use crate::value::{FromRow, Row};
use crate::{Database, Options, StorageError, Value};

/// How many commits the consumer pulls among, where that is not the number of the test.
const COMMITS_VARIABLE: &str = "STORAGE_TEST_COMMITS";

/// How an event is appended, and how a consumer goes on from its position.
#[derive(Clone, Copy)]
struct Cure {
    /// The name of its schema.
    name: &'static str,
    append: &'static str,
    pull: Pull,
    /// Whether no event is ever skipped.
    is_sufficient: bool,
}

/// What a consumer reads next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pull {
    /// Everything that is committed, after a `seq`.
    Committed,
    /// What is older than every open transaction (PostgreSQL 13, section 9.26.8, `pg_snapshot_xmin`), after a `seq`.
    BelowXmin,
    /// The same, after a transaction and a `seq` in it.
    BelowXminByXid,
}

/// No lock at all.
const UNLOCKED: &str = "INSERT INTO outbox (id, topic, key, payload, traceparent, created_us)
     SELECT $1, $2, $3, $4, $5, $6 WHERE CAST($7 AS BIGINT) IS NOT NULL
     ON CONFLICT (id) DO NOTHING";
/// A lock for each topic: what keeps a consumer of one topic in order, where its position is that of two.
const PER_TOPIC: &str =
    "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock($7 # CAST(hashtext($2) AS BIGINT)) AS lock)
     INSERT INTO outbox (id, topic, key, payload, traceparent, created_us)
     SELECT $1, $2, $3, $4, $5, $6 FROM held
     ON CONFLICT (id) DO NOTHING";

/// The one that is used comes first.
const CURES: [Cure; 5] = [
    Cure { name: "locked", append: APPEND, pull: Pull::Committed, is_sufficient: true },
    Cure { name: "unlocked", append: UNLOCKED, pull: Pull::Committed, is_sufficient: false },
    Cure { name: "per_topic", append: PER_TOPIC, pull: Pull::Committed, is_sufficient: false },
    Cure { name: "xmin_by_seq", append: UNLOCKED, pull: Pull::BelowXmin, is_sufficient: false },
    Cure { name: "xmin_by_xid", append: UNLOCKED, pull: Pull::BelowXminByXid, is_sufficient: true },
];

/// What a business transaction writes before its event, and the transaction that an event is of.
const ADDED: &str = "CREATE TABLE written (number BIGINT NOT NULL);
     ALTER TABLE outbox ADD COLUMN xid XID8 NOT NULL DEFAULT pg_current_xact_id();
     CREATE INDEX outbox_by_xid ON outbox (xid, seq);";
const WRITE: &str = "INSERT INTO written (number) VALUES ($1)";

/// A consumer's position: a transaction, where it counts, and a `seq`.
type Place = (i64, i64);

impl Pull {
    /// The events after a position, as positions, in their order.
    const fn statement(self) -> &'static str {
        match self {
            Self::Committed => "SELECT CAST($1 AS BIGINT), seq FROM outbox WHERE seq > $2 ORDER BY seq",
            Self::BelowXmin => {
                "SELECT CAST($1 AS BIGINT), seq FROM outbox
                 WHERE seq > $2 AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY seq"
            }
            Self::BelowXminByXid => {
                "SELECT CAST(CAST(xid AS TEXT) AS BIGINT), seq FROM outbox
                 WHERE (xid, seq) > (CAST(CAST(CAST($1 AS BIGINT) AS TEXT) AS XID8), $2)
                   AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, seq"
            }
        }
    }

    async fn after(self, conn: &mut Connection, (xid, seq): Place) -> Vec<Place> {
        rows(conn, self.statement(), &[xid, seq]).await
    }

    /// Whether everything committed can be read: a transaction that is open anywhere on the server, such as another test's,
    /// may hold it back.
    async fn is_caught_up(self, conn: &mut Connection) -> bool {
        const HELD_BACK: &str =
            "SELECT COUNT(*) FROM outbox WHERE NOT xid < pg_snapshot_xmin(pg_current_snapshot())";
        self == Self::Committed || rows::<i64>(conn, HELD_BACK, &[]).await == [0]
    }
}

fn event(number: u64) -> Envelope {
    let topic = if number.is_multiple_of(2) { "Posted" } else { "Withdrawn" };
    Envelope {
        seq: 0,
        id: format!("event-{number}"),
        topic: topic.into(),
        key: number,
        payload: "{}".into(),
        traceparent: String::new(),
        created_us: 1,
    }
}

/// A schema with an outbox, where a server can be had.
async fn opener(test: &str, cure: Cure) -> Option<[Opener; 2]> {
    let url = postgres_server::scratch::url().inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
    let address: Address = url.parse().expect("an address");
    let address = address.schema(&format!("{test}_{}", cure.name)).expect("a name");
    let options = Options { writers: 8, ..Options::default() };
    Database::open(address.clone(), options).await.expect("opens").close().await;
    let opener = [Access::Write, Access::Read].map(|access| Opener::new(&address, access, &options));
    opener[0].open().await.expect("opens").batch(ADDED).await.expect("made");
    Some(opener)
}

/// The rows of a statement.
async fn rows<T: FromRow>(conn: &mut Connection, sql: &str, values: &[i64]) -> Vec<T> {
    let values: Vec<Value<'_>> = values.iter().map(|value| (*value).into()).collect();
    let mut found = Vec::new();
    let each = |row: Row<'_>| {
        found.push(T::from_row(row)?);
        Ok(())
    };
    conn.rows(sql, &values, each).await.expect("readable");
    found
}

/// Events that a consumer misses for good which looks between two commits. The second transaction is the older one, and
/// commits first; the first one's event is.
async fn missed_between_two_commits(cure: Cure) -> Option<usize> {
    let [writer, reader] = opener("two", cure).await?;
    let (mut first, mut second) = (writer.open().await.expect("opens"), writer.open().await.expect("opens"));
    let mut consumer = reader.open().await.expect("opens");
    second.begin(false).await.expect("begins");
    second.execute(WRITE, &[2_i64.into()]).await.expect("written");
    first.begin(false).await.expect("begins");
    first.execute(WRITE, &[1_i64.into()]).await.expect("written");
    let backend = rows::<i64>(&mut second, "SELECT pg_backend_pid()", &[]).await[0];
    first.execute(cure.append, &append_values(&event(1), 7)).await.expect("appended");

    let event = event(2);
    let mut overtaking = pin!(async {
        second.execute(cure.append, &append_values(&event, 7)).await.expect("appended");
        second.batch("COMMIT").await.expect("commits");
    });
    let waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND pid = CAST($1 AS BIGINT)";
    let of_second = [backend];
    let has_committed = loop {
        tokio::select! {
            () = &mut overtaking => break true,
            found = rows::<i64>(&mut consumer, waiting, &of_second) => {
                if !found.is_empty() {
                    break false;
                }
            }
        }
    };
    let mut seen = loop {
        let seen = cure.pull.after(&mut consumer, (0, 0)).await;
        // Other transactions of the server may be older than both, for a while.
        if !has_committed || !seen.is_empty() {
            break seen;
        }
    };
    first.batch("COMMIT").await.expect("commits");
    if !has_committed {
        overtaking.await;
    }
    while !cure.pull.is_caught_up(&mut consumer).await {}
    let position = seen.last().copied().unwrap_or_default();
    seen.extend(cure.pull.after(&mut consumer, position).await);
    Some(2 - seen.len())
}

#[tokio::test]
async fn the_lock_of_the_outbox_keeps_the_order_and_nothing_less_does() {
    for cure in CURES {
        if let Some(missed) = missed_between_two_commits(cure).await {
            assert_eq!(missed, usize::from(!cure.is_sufficient), "{}", cure.name);
        }
    }
}

/// Eight writers that commit at a time, and a consumer that pulls meanwhile; how many events it missed.
async fn missed_by_a_consumer(test: &str, cure: Cure, commits: u64) -> Option<u64> {
    const WRITERS: u64 = 8;
    let [writer, reader] = opener(test, cure).await?;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..WRITERS {
        let mut conn = writer.open().await.expect("opens");
        writers.spawn(async move {
            for number in (number..commits).step_by(WRITERS as usize) {
                while !commit(&mut conn, cure, number).await {}
            }
        });
    }
    let mut consumer = reader.open().await.expect("opens");
    let (mut position, mut seen) = (Place::default(), 0);
    loop {
        let is_over = writers.is_empty() && cure.pull.is_caught_up(&mut consumer).await;
        let pulled = cure.pull.after(&mut consumer, position).await;
        position = pulled.last().copied().unwrap_or(position);
        seen += pulled.len() as u64;
        while let Some(done) = writers.try_join_next() {
            done.expect("no writer panics");
        }
        if is_over {
            return Some(commits - seen);
        }
    }
}

/// Commits a row and its event; not where another writer has overtaken it.
async fn commit(conn: &mut Connection, cure: Cure, number: u64) -> bool {
    conn.begin(false).await.expect("begins");
    conn.execute(WRITE, &[number.cast_signed().into()]).await.expect("written");
    let statement = conn.prepared(cure.append).await.expect("prepared");
    match conn.commit_with(Some(statement), &[event(number)]).await {
        Ok(()) => true,
        Err(StorageError::Conflict(_)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// The number of commits that was asked for.
fn commits(default: u64) -> u64 {
    let Ok(text) = std::env::var(COMMITS_VARIABLE) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{COMMITS_VARIABLE} = `{text}`: expected a number, e.g. 10000"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_commit_at_a_time_lose_no_event() {
    for cure in CURES.into_iter().filter(|cure| cure.is_sufficient) {
        if let Some(missed) = missed_by_a_consumer("many", cure, commits(2_000)).await {
            assert_eq!(missed, 0, "{}", cure.name);
        }
    }
}

/// What the lock is for:
/// `cargo test -p storage --lib --features postgres -- --ignored --nocapture wrong_cures`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "what is missed by chance is never missed in a few commits: ten thousand take seconds"]
async fn wrong_cures_lose_events_among_ten_thousand_commits() {
    let commits = commits(10_000);
    println!("| cure | missed of {commits} | commits/s |\n|---|---|---|");
    for cure in CURES {
        let began = clock::now();
        let Some(missed) = missed_by_a_consumer("wrong", cure, commits).await else { return };
        let rate = commits as f64 / (clock::now() - began).as_secs_f64();
        println!("| {} | {missed} | {rate:.0} |", cure.name);
        assert_eq!(missed == 0, cure.is_sufficient, "{}: {missed} of {commits} missed", cure.name);
    }
}
