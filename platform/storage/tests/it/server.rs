//! What only a server can do: undo a transaction behind its writer's back, go away, and let writers write at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use storage::{Connection, Database, Options, StorageError, Tx, idempotency, query};

use crate::ground::*;

/// Skipped, with the reason printed, where no server can be had.
macro_rules! on_a_server {
    ($($story:ident),+ $(,)?) => {
        $(mod $story {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_a_server() {
                if let Some(place) = crate::place::Place::server() {
                    super::$story(place).await;
                }
            }
        })+
    };
}

on_a_server!(
    a_transaction_with_a_failed_statement_is_not_committed,
    a_transaction_whose_first_statement_is_refused_writes_nothing,
    a_transaction_with_a_statement_that_was_given_up_is_not_committed,
    a_commit_that_is_given_up_goes_on,
    a_transaction_that_is_given_up_lets_the_next_writer_in,
    a_killed_backend_is_replaced,
    copies_that_start_together_take_turns,
    schemas_of_one_database_do_not_meet,
    readers_cannot_write,
    a_statement_that_a_changed_table_spoils_costs_its_connection_alone,
    writers_that_do_not_take_turns_lose_no_update,
    writers_that_do_not_take_turns_keep_their_invariants,
    two_writes_of_one_key_take_effect_once,
);

fn concurrent() -> Options {
    Options { writers: 8, ..Options::default() }
}

async fn a_transaction_with_a_failed_statement_is_not_committed(place: Place) {
    let db = database(&place, "one").await;
    let mut tx = db.write().await.expect("the turn");
    say(&mut tx, 1).await;
    query("SELECT", "test", "SELECT 1 / 0").exists(tx.conn()).await.expect_err("a division by zero");
    let refused = tx.commit().await.expect_err("the server has undone the first statement as well");
    assert!(matches!(refused, StorageError::Other(_)), "{refused:?}");
    assert!(numbers(&db, "SELECT number FROM written").await.is_empty());
    publish(&db, &outbound(&db), 2).await.expect("the next transaction is its own");
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [2]);
}

/// Where writers do not take turns, it begins with its first statement: one that cannot be prepared begins none, and what comes
/// after it must not stand by itself.
async fn a_transaction_whose_first_statement_is_refused_writes_nothing(place: Place) {
    let db = open(&place, "one", concurrent()).await;
    let mut tx = db.write().await.expect("the turn");
    query("SELECT", "test", "SELECT unknown").exists(tx.conn()).await.expect_err("no such column");
    let written =
        query("INSERT", "written", "INSERT INTO written (number) VALUES (1)").execute(tx.conn()).await;
    assert!(matches!(written, Err(StorageError::Other(_))), "{written:?}");
    tx.commit().await.expect_err("a statement of it failed");
    assert!(numbers(&db, "SELECT number FROM written").await.is_empty());
    let tx = db.write().await.expect("the turn");
    tx.commit().await.expect("it has asked for nothing");
    publish(&db, &outbound(&db), 2).await.expect("the next transaction is its own");
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [2]);
}

/// Polls a future once and drops it. Whether it was not done yet: on a busy machine a server may answer within one poll.
async fn give_up<T>(work: impl Future<Output = T>) -> bool {
    tokio::select! {
        biased;
        _ = work => false,
        () = std::future::ready(()) => true,
    }
}

async fn a_transaction_with_a_statement_that_was_given_up_is_not_committed(place: Place) {
    let db = database(&place, "one").await;
    let tx = with_one_given_up(&db, "SELECT 1 FROM written").await;
    tx.commit().await.expect_err("its outcome is not known");
    let mut tx = with_one_given_up(&db, "SELECT 1 / 0").await;
    say_nothing(&mut tx).await;
    tx.commit().await.expect_err("neither after another statement");
    assert!(numbers(&db, "SELECT number FROM written").await.is_empty());
}

/// A transaction that has written a row, and then given a statement up.
async fn with_one_given_up(db: &Database, statement: &'static str) -> Tx {
    loop {
        let mut tx = db.write().await.expect("the turn");
        say(&mut tx, 1).await;
        if give_up(query("SELECT", "test", statement).exists(tx.conn())).await {
            return tx;
        }
    }
}

/// A statement whose outcome does not matter.
async fn say_nothing(tx: &mut Tx) {
    let _ = query("SELECT", "test", "SELECT 1").exists(tx.conn()).await;
}

async fn a_commit_that_is_given_up_goes_on(place: Place) {
    let db = database(&place, "one").await;
    for number in 1..=20 {
        let mut tx = db.write().await.expect("the turn");
        say(&mut tx, number).await;
        // Where it was done already, it is there as well.
        give_up(tx.commit()).await;
    }
    // The writer is back when the last commit has ended.
    drop(db.write().await.expect("the turn"));
    assert_eq!(numbers(&db, "SELECT number FROM written").await, (1..=20).collect::<Vec<_>>());
}

async fn a_transaction_that_is_given_up_lets_the_next_writer_in(place: Place) {
    // As of two processes, with the server's lock between them.
    let (one, other) = (database(&place, "one").await, database(&place, "one").await);
    for number in 1..=20 {
        let mut tx = one.write().await.expect("the turn");
        say(&mut tx, number).await;
        drop(tx);
        // Given up while it waits for its turn, or just after it.
        let held = one.write().await.expect("the turn");
        assert!(give_up(other.write()).await, "the turn is taken");
        drop(held);
    }
    publish(&other, &outbound(&other), 99).await.expect("published");
    publish(&one, &outbound(&one), 100).await.expect("published");
    assert_eq!(numbers(&one, "SELECT number FROM written").await, [99, 100]);
}

/// The server's process behind a connection.
async fn backend(conn: &mut Connection) -> i64 {
    query("SELECT", "test", "SELECT pg_backend_pid()").one(conn).await.expect("a number")
}

async fn kill(db: &Database, backend: i64) {
    let mut read = db.read().await.expect("a reader");
    let kill = query("SELECT", "test", "SELECT pg_terminate_backend(CAST($1 AS INTEGER))");
    assert!(kill.bind(backend).one::<bool>(&mut read).await.expect("allowed"));
    let gone = query("SELECT", "test", "SELECT COUNT(*) FROM pg_stat_activity WHERE pid = $1").bind(backend);
    eventually("the backend has ended", async || {
        gone.clone().one::<i64>(&mut read).await.expect("readable") == 0
    })
    .await;
}

async fn a_killed_backend_is_replaced(place: Place) {
    let (db, other) = (database(&place, "one").await, database(&place, "two").await);
    // In its sleep: the next transaction does not notice.
    let mut tx = db.write().await.expect("the turn");
    let writer = backend(tx.conn()).await;
    drop(tx);
    let reader = backend(&mut db.read().await.expect("a reader")).await;
    kill(&other, writer).await;
    kill(&other, reader).await;
    publish(&db, &outbound(&db), 1).await.expect("published");
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [1]);
    // Within a transaction: it never happened, and the next one is well.
    let mut tx = db.write().await.expect("the turn");
    say(&mut tx, 2).await;
    let writer = backend(tx.conn()).await;
    kill(&other, writer).await;
    let lost = tx.commit().await.expect_err("there is no backend to commit it");
    assert!(matches!(lost, StorageError::Lost(_)), "for all that its writer knows: {lost:?}");
    publish(&db, &outbound(&db), 3).await.expect("published");
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [1, 3]);
}

async fn copies_that_start_together_take_turns(place: Place) {
    let place = Arc::new(place);
    for options in [Options::default(), concurrent()] {
        let name = format!("w{}", options.writers);
        let mut copies = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (place, name) = (place.clone(), name.clone());
            copies.spawn(async move { open(&place, &name, options).await.epoch().to_owned() });
        }
        let epochs = copies.join_all().await;
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "one life of one database: {epochs:?}");
    }
}

async fn schemas_of_one_database_do_not_meet(place: Place) {
    let (one, two) = (database(&place, "one").await, database(&place, "two").await);
    assert_ne!(one.epoch(), two.epoch());
    let mut held = one.write().await.expect("the turn");
    say(&mut held, 1).await;
    publish(&two, &outbound(&two), 2).await.expect("its turn is its own");
    held.commit().await.expect("commits");
    assert_eq!(numbers(&one, "SELECT number FROM written").await, [1]);
    assert_eq!(numbers(&two, "SELECT number FROM written").await, [2]);
}

async fn readers_cannot_write(place: Place) {
    let db = database(&place, "one").await;
    let mut read = db.read().await.expect("a reader");
    let insert = query("INSERT", "written", "INSERT INTO written (number) VALUES (1)");
    insert.execute(&mut read).await.expect_err("it is a reader");
    assert!(numbers(&db, "SELECT number FROM written").await.is_empty());
}

async fn a_statement_that_a_changed_table_spoils_costs_its_connection_alone(place: Place) {
    let db = open(&place, "one", Options { readers: 1, ..Options::default() }).await;
    let all = async || {
        let mut read = db.read().await?;
        query("SELECT", "written", "SELECT * FROM written").all::<i64>(&mut read).await
    };
    assert!(all().await.expect("readable").is_empty());
    let mut tx = db.write().await.expect("the turn");
    let alter = "ALTER TABLE written ADD COLUMN more BIGINT";
    query("ALTER", "written", alter).execute(tx.conn()).await.expect("altered");
    tx.commit().await.expect("commits");
    all().await.expect_err("the plan that is prepared has other columns");
    assert!(all().await.expect("on a connection of its own").is_empty());
}

/// Tries until no other transaction comes first.
async fn retried(
    db: &Database,
    conflicts: &AtomicU32,
    mut step: impl AsyncFnMut(&mut Tx) -> Result<(), StorageError>,
) {
    loop {
        let mut tx = db.write().await.expect("a writer");
        let done = match step(&mut tx).await {
            Ok(()) => tx.commit().await,
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => return,
            Err(StorageError::Conflict(_)) => conflicts.fetch_add(1, Ordering::Relaxed),
            Err(other) => panic!("{other:?}"),
        };
    }
}

async fn writers_that_do_not_take_turns_lose_no_update(place: Place) {
    const STEPS: i64 = 200;
    let db = open(&place, "one", concurrent()).await;
    publish(&db, &outbound(&db), 0).await.expect("published");
    two_that_have_both_read_do_not_both_write(&db).await;
    let conflicts = Arc::new(AtomicU32::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..STEPS {
        let (db, conflicts) = (db.clone(), conflicts.clone());
        writers.spawn(async move {
            retried(&db, &conflicts, async |tx| {
                let select = query("SELECT", "written", "SELECT number FROM written");
                let number: i64 = select.one(tx.conn()).await?;
                let update = query("UPDATE", "written", "UPDATE written SET number = $1");
                update.bind(number + 1).execute(tx.conn()).await.map(drop)
            })
            .await;
        });
    }
    writers.join_all().await;
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [STEPS], "conflicts: {conflicts:?}");
}

/// The number that is there stays.
async fn two_that_have_both_read_do_not_both_write(db: &Database) {
    let select = || query("SELECT", "written", "SELECT number FROM written");
    let update = |number: i64| query("UPDATE", "written", "UPDATE written SET number = $1").bind(number);
    let (mut one, mut other) = (db.write().await.expect("a writer"), db.write().await.expect("another"));
    let read: i64 = select().one(one.conn()).await.expect("read");
    assert_eq!(select().one::<i64>(other.conn()).await.expect("read meanwhile"), read);
    update(read).execute(one.conn()).await.expect("written");
    one.commit().await.expect("the first to commit");
    let late = match update(read + 1).execute(other.conn()).await {
        Ok(_) => other.commit().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(late, Err(StorageError::Conflict(_))), "{late:?}");
}

/// A post against the burial of its author: the one looks for the tombstone, the other for posts.
async fn writers_that_do_not_take_turns_keep_their_invariants(place: Place) {
    let db = open(&place, "one", concurrent()).await;
    for account in 1..=100_i64 {
        let conflicts = AtomicU32::new(0);
        let post = retried(&db, &conflicts, async |tx| {
            let insert = "INSERT INTO written (number)
                 SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM changed WHERE number = $1)";
            query("INSERT", "written", insert).bind(account).execute(tx.conn()).await.map(drop)
        });
        let burial = retried(&db, &conflicts, async |tx| {
            let bury = query("INSERT", "changed", "INSERT INTO changed (number) VALUES ($1)");
            bury.bind(account).execute(tx.conn()).await?;
            let posts = query("DELETE", "written", "DELETE FROM written WHERE number = $1");
            posts.bind(account).execute(tx.conn()).await.map(drop)
        });
        tokio::join!(post, burial);
    }
    assert!(numbers(&db, "SELECT number FROM written").await.is_empty(), "no post outlives its author");
}

async fn two_writes_of_one_key_take_effect_once(place: Place) {
    let db = open(&place, "one", concurrent()).await;
    for key in 0..100 {
        let key = format!("key {key}");
        let write = async || loop {
            let mut tx = db.write().await.expect("a writer");
            let kept = idempotency::stored_reply::<u64>(&mut tx, CONSUMER, 1, &key, 7).await;
            let done = match kept {
                Ok(Some(reply)) => return reply,
                Ok(None) => {
                    say(&mut tx, 1).await;
                    let stored = idempotency::store_reply(&mut tx, CONSUMER, 1, &key, 7, &1).await;
                    match stored {
                        Ok(()) => tx.commit().await.map(|()| 1).map_err(contract::Refusal::from),
                        Err(refusal) => Err(refusal),
                    }
                }
                Err(refusal) => Err(refusal),
            };
            match done {
                Ok(reply) => return reply,
                Err(refusal) => assert_eq!(refusal.code, "storage_conflict", "{refusal}"),
            }
        };
        assert_eq!(tokio::join!(write(), write()), (1, 1));
    }
    assert_eq!(numbers(&db, "SELECT COUNT(*) FROM written").await, [100], "once for each key");
}
