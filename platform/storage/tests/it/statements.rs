//! Statements: what goes in comes out, on whichever thread, and a connection outlives what is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::{StorageError, query};

use crate::ground::*;

pub async fn placeholders_are_bound_by_their_numbers(place: Place) {
    let db = database(&place, "one").await;
    let mut read = db.read().await.expect("a reader");
    let select = query(
        "SELECT",
        "test",
        "SELECT CAST($2 AS TEXT), CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT)",
    );
    let select = select.bind(1).bind("two").bind(None::<&str>);
    let row: (String, i64, String, Option<String>) = select.one(&mut read).await.expect("a row");
    assert_eq!(row, ("two".into(), 1, "two".into(), None));
    let short = query("SELECT", "test", "SELECT $1, $2").bind(1).one::<(i64, i64)>(&mut read).await;
    assert!(matches!(short, Err(StorageError::Other(_))), "a value is missing: {short:?}");
    let wrong = query("SELECT", "test", "SELECT 'text'").one::<i64>(&mut read).await;
    assert!(matches!(wrong, Err(StorageError::Other(_))), "a column of another type: {wrong:?}");
}

pub async fn a_list_of_any_length_holds_its_values(place: Place) {
    let db = database(&place, "one").await;
    let mut tx = db.write().await.expect("the turn");
    let rows = (1..=9_i64).map(|number| [number.into()]);
    let insert = query("INSERT", "written", "INSERT INTO written (number) VALUES ($1)");
    assert_eq!(insert.execute_each(tx.conn(), rows).await.expect("nine rows"), 9);
    for some in [vec![], vec![3], vec![2, 4, 9], vec![1, 2, 3, 4, 5]] {
        let select = query("SELECT", "written", "SELECT number FROM written WHERE number IN ")
            .push_list(some.iter().copied())
            .push(" AND number > ")
            .push_value(1);
        let found: Vec<i64> = select.push(" ORDER BY number").all(tx.conn()).await.expect("readable");
        assert_eq!(found, some.into_iter().filter(|number| *number > 1).collect::<Vec<_>>());
    }
}

pub async fn what_is_not_committed_never_happened_and_the_next_writer_has_its_turn(place: Place) {
    let db = database(&place, "one").await;
    let mut tx = db.write().await.expect("the turn");
    say(&mut tx, 1).await;
    drop(tx);
    let mut tx = db.write().await.expect("the next turn");
    say(&mut tx, 2).await;
    let taken =
        query("INSERT", "inbox_seen", "INSERT INTO inbox_seen (consumer, id, seen_us) VALUES ('a', 'b', 1)");
    taken.clone().execute(tx.conn()).await.expect("the first");
    tx.commit().await.expect("commits");
    let mut tx = db.write().await.expect("the next turn");
    say(&mut tx, 3).await;
    assert!(matches!(taken.execute(tx.conn()).await, Err(StorageError::Unique(_))), "there is one already");
    drop(tx);
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [2]);
}

/// A scan is given up in its middle: it ends on its thread, and its connection with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_is_given_up_takes_no_place_with_it() {
    let place = Place::file();
    let db = open(&place, "one", storage::Options { readers: 1, ..storage::Options::default() }).await;
    let (begun, go_on) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let scan = {
        let (db, begun, go_on) = (db.clone(), begun.clone(), go_on.clone());
        async move {
            let mut read = db.read().await.expect("the one reader");
            let select = query("SELECT", "test", "SELECT 1");
            let wait = move |_: &mut (), _: i64| {
                begun.store(true, Ordering::SeqCst);
                while !go_on.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
            };
            select.fold(&mut read, (), wait).await.expect("readable");
        }
    };
    tokio::select! {
        () = scan => panic!("it waits"),
        () = async {
            while !begun.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert_eq!(numbers(&db, "SELECT 7").await, [7], "another connection in its place");
    go_on.store(true, Ordering::SeqCst);
}

/// Rows without end.
const ENDLESS: &str = "WITH RECURSIVE endless (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM endless) \
                       SELECT number FROM endless";

/// `work` for a caller that waits no longer.
async fn too_late<T>(work: impl Future<Output = T>) -> T {
    runtime::scope::within(CONSUMER, work).until(runtime::clock::now()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_a_caller_that_waits_no_longer_is_ended() {
    let place = Place::file();
    let db = database(&place, "one").await;
    let ended = |result: Result<(), StorageError>| {
        assert!(matches!(result, Err(StorageError::DeadlineExceeded(_))), "{result:?}");
    };
    let mut read = db.read().await.expect("a reader");
    ended(too_late(query("SELECT", "test", ENDLESS).all::<i64>(&mut read)).await.map(drop));
    let ignore = |_: &mut (), _: i64| {};
    ended(too_late(query("SELECT", "test", ENDLESS).fold(&mut read, (), ignore)).await);
    let short = too_late(query("SELECT", "test", "SELECT 7").one::<i64>(&mut read)).await;
    assert_eq!(short.expect("it ends by itself, on the same connection"), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_with_a_statement_that_was_ended_never_happened() {
    let place = Place::file();
    let db = database(&place, "one").await;
    let mut tx = db.write().await.expect("the turn");
    say(&mut tx, 1).await;
    let insert = query("INSERT", "written", "INSERT INTO written (number) ").push(ENDLESS);
    let ended = too_late(insert.execute(tx.conn())).await;
    assert!(matches!(ended, Err(StorageError::DeadlineExceeded(_))), "{ended:?}");
    let another = query("INSERT", "written", "INSERT INTO written (number) VALUES (2)");
    another.execute(tx.conn()).await.expect_err("it would be part of no transaction");
    tx.commit().await.expect_err("there is nothing to commit");
    let mut tx = db.write().await.expect("the next turn");
    say(&mut tx, 3).await;
    tx.commit().await.expect("commits");
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [3]);
}

pub async fn a_closed_database_gives_no_connection(place: Place) {
    let db = database(&place, "one").await;
    db.close().await;
    assert!(matches!(db.read().await.map(drop), Err(StorageError::Other(_))));
    assert!(matches!(db.write().await.map(drop), Err(StorageError::Other(_))));
}

pub async fn a_scan_reads_every_row_of_a_table_of_any_size(place: Place) {
    let db = database(&place, "one").await;
    let mut tx = db.write().await.expect("the turn");
    let rows = (0..5_000_i64).map(|number| [number.into()]);
    let insert = query("INSERT", "written", "INSERT INTO written (number) VALUES ($1)");
    assert_eq!(insert.execute_each(tx.conn(), rows).await.expect("rows"), 5_000);
    tx.commit().await.expect("commits");
    let mut read = db.read().await.expect("a reader");
    let sum = |sum: &mut i64, number: i64| *sum += number;
    let scan = query("SELECT", "written", "SELECT number FROM written").fold(&mut read, 0, sum);
    assert_eq!(scan.await.expect("readable"), 4_999 * 5_000 / 2);
}

pub async fn every_type_of_value_comes_back_as_it_went(place: Place) {
    let db = database(&place, "one").await;
    let mut tx = db.write().await.expect("the turn");
    let insert = "INSERT INTO kept (number, text, bytes) VALUES ($1, $2, $3)";
    let bytes: Vec<u8> = (0..=255).collect();
    for (number, text) in [(i64::MIN, "Öl 日本"), (0, ""), (i64::MAX, "a 'quoted' \"word\"")] {
        let insert = query("INSERT", "kept", insert).bind(number).bind(text).bind(bytes.clone());
        insert.execute(tx.conn()).await.expect("kept");
        let select = query("SELECT", "kept", "SELECT number, text, bytes FROM kept WHERE number = $1");
        let row: (i64, String, Vec<u8>) = select.bind(number).one(tx.conn()).await.expect("there");
        assert_eq!(row, (number, text.to_owned(), bytes.clone()));
    }
    let literal = query("SELECT", "kept", "SELECT 7, COUNT(*) FROM kept");
    let literal: (i64, i64) = literal.one(tx.conn()).await.expect("a row");
    assert_eq!(literal, (7, 3), "a literal is as wide as any number");
    let exists = "SELECT EXISTS (SELECT 1 FROM kept), EXISTS (SELECT 1 FROM kept WHERE number = 1)";
    let exists: (bool, bool) = query("SELECT", "kept", exists).one(tx.conn()).await.expect("a row");
    assert_eq!(exists, (true, false));
}

pub async fn a_writer_waits_for_another_process_without_holding_up_its_own(place: Place) {
    // As of two processes: each has a queue of its own, and SQLite's lock between them.
    let (one, other) = (database(&place, "one").await, database(&place, "one").await);
    let mut first = one.write().await.expect("the turn");
    say(&mut first, 1).await;
    let mut second = tokio::task::JoinSet::new();
    second.spawn(async move {
        let mut tx = other.write().await.expect("when the first is done");
        say(&mut tx, 2).await;
        tx.commit().await.expect("commits");
    });
    assert_eq!(numbers(&one, "SELECT COUNT(*) FROM written").await, [0], "readers are not in its way");
    first.commit().await.expect("commits");
    second.join_next().await.expect("one").expect("no panic");
    assert_eq!(numbers(&one, "SELECT number FROM written").await, [1, 2]);
}
