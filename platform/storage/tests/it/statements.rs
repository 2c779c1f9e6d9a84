//! Statements: what goes in comes out, on whichever thread, and a connection outlives what is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::{StorageError, query};
use tempfile::TempDir;

use crate::ground::*;

#[tokio::test]
async fn placeholders_are_bound_by_their_numbers() {
    let folder = TempDir::new().expect("a folder");
    let db = database(&folder, "one").await;
    let mut read = db.read().await.expect("a reader");
    let select = query("SELECT", "test", "SELECT $2, $1, $2, $3").bind(1).bind("two").bind(None::<&str>);
    let row: (String, i64, String, Option<String>) = select.one(&mut read).await.expect("a row");
    assert_eq!(row, ("two".into(), 1, "two".into(), None));
    let short = query("SELECT", "test", "SELECT $1, $2").bind(1).one::<(i64, i64)>(&mut read).await;
    assert!(matches!(short, Err(StorageError::Other(_))), "a value is missing: {short:?}");
    let wrong = query("SELECT", "test", "SELECT 'text'").one::<i64>(&mut read).await;
    assert!(matches!(wrong, Err(StorageError::Other(_))), "a column of another type: {wrong:?}");
}

#[tokio::test]
async fn a_list_of_any_length_holds_its_values() {
    let folder = TempDir::new().expect("a folder");
    let db = database(&folder, "one").await;
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

#[tokio::test]
async fn what_is_not_committed_never_happened_and_the_next_writer_has_its_turn() {
    let folder = TempDir::new().expect("a folder");
    let db = database(&folder, "one").await;
    let mut tx = db.write().await.expect("the turn");
    say(&mut tx, 1).await;
    drop(tx);
    let mut tx = db.write().await.expect("the next turn");
    say(&mut tx, 2).await;
    let taken =
        query("INSERT", "inbox_seen", "INSERT INTO inbox_seen (consumer, id, seen_us) VALUES ('a', 'b', 1)");
    taken.clone().execute(tx.conn()).await.expect("the first");
    assert!(matches!(taken.execute(tx.conn()).await, Err(StorageError::Unique(_))), "there is one already");
    tx.commit().await.expect("commits");
    assert_eq!(numbers(&db, "SELECT number FROM written").await, [2]);
}

/// A scan is given up in its middle: it ends on its thread, and its connection with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_is_given_up_takes_no_place_with_it() {
    let folder = TempDir::new().expect("a folder");
    let db = open(&folder, "one", storage::Options { readers: 1, ..storage::Options::default() }).await;
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

#[tokio::test]
async fn a_closed_database_gives_no_connection() {
    let folder = TempDir::new().expect("a folder");
    let db = database(&folder, "one").await;
    db.close().await;
    assert!(matches!(db.read().await.map(drop), Err(StorageError::Other(_))));
    assert!(matches!(db.write().await.map(drop), Err(StorageError::Other(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_waits_for_another_process_without_holding_up_its_own() {
    let folder = TempDir::new().expect("a folder");
    // As of two processes: each has a queue of its own, and SQLite's lock between them.
    let (one, other) = (database(&folder, "one").await, database(&folder, "one").await);
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
