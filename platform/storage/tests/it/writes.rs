//! Writers take turns, writes happen once, tables keep their shape, bytes keep their name.

use std::time::Duration;

use bytes::Bytes;
use contract::{ComponentName, Refusal, RefusalKind};
use storage::blob_reader::CHUNK_BYTES;
use storage::{Blobs, Migration, idempotency, query, snapshot};
use tempfile::TempDir;

use crate::ground::*;

pub async fn writers_take_turns_and_lose_nothing(place: Place) {
    let db = database(&place, "one").await;
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let db = db.clone();
        writers.spawn(async move {
            let mut tx = db.write().await.expect("the turn comes");
            let last = query("SELECT", "written", "SELECT COALESCE(MAX(number), 0) FROM written");
            let last: i64 = last.one(tx.conn()).await.expect("readable");
            say(&mut tx, last.cast_unsigned() + 1).await;
            tx.commit().await.expect("commits");
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("no writer panics");
    }
    assert_eq!(numbers(&db, "SELECT number FROM written").await, (1..=50).collect::<Vec<_>>());
}

pub async fn of_writers_at_once_each_fails_alone(place: Place) {
    let db = database(&place, "one").await;
    let before = db.log_syncs();
    let mut writers = tokio::task::JoinSet::new();
    for number in 1..=30_u64 {
        let db = db.clone();
        writers.spawn(async move {
            let mut tx = db.write().await.expect("the turn comes");
            say(&mut tx, number).await;
            // Every third gives up, between two that may share a sync.
            if number % 3 != 0 {
                tx.commit().await.expect("commits");
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("no writer panics");
    }
    let kept: Vec<i64> = (1..=30).filter(|number| number % 3 != 0).collect();
    assert_eq!(numbers(&db, "SELECT number FROM written ORDER BY number").await, kept);
    assert!(db.log_syncs() - before <= 20, "a sync for each of the twenty that committed, or fewer");
}

pub async fn a_repeat_gets_the_first_reply(place: Place) {
    let db = database(&place, "one").await;
    let (ada, bob, print) = (1, 2, 77);
    let mut tx = db.write().await.expect("the turn");
    let known: Option<String> =
        idempotency::stored_reply(&mut tx, CONSUMER, ada, "key", print).await.expect("readable");
    assert_eq!(known, None, "the first time");
    idempotency::store_reply(&mut tx, CONSUMER, ada, "key", print, &"done").await.expect("kept");
    tx.commit().await.expect("commits");

    let mut tx = db.write().await.expect("the turn");
    let again: Option<String> =
        idempotency::stored_reply(&mut tx, CONSUMER, ada, "key", print).await.expect("readable");
    assert_eq!(again.as_deref(), Some("done"));
    let other = idempotency::stored_reply::<String>(&mut tx, CONSUMER, ada, "key", print + 1).await;
    assert_eq!(other.expect_err("another write under the same key").kind, RefusalKind::Unprocessable);
    for (component, user, key) in
        [(CONSUMER, bob, "key"), (CONSUMER, ada, "other"), (ComponentName::of("search"), ada, "key")]
    {
        let mine: Option<String> =
            idempotency::stored_reply(&mut tx, component, user, key, print).await.expect("readable");
        assert_eq!(mine, None, "keys are each user's and component's own");
    }
}

pub async fn a_reply_that_was_rolled_back_was_never_given(place: Place) {
    let db = database(&place, "one").await;
    let mut tx = db.write().await.expect("the turn");
    idempotency::store_reply(&mut tx, CONSUMER, 1, "key", 77, &"done").await.expect("kept");
    drop(tx);
    let mut tx = db.write().await.expect("the turn");
    let known: Option<String> =
        idempotency::stored_reply(&mut tx, CONSUMER, 1, "key", 77).await.expect("readable");
    assert_eq!(known, None);
}

static FIRST: &[Migration] = &[Migration {
    version: 1,
    name: "a table",
    sql: "CREATE TABLE pins (id BIGINT PRIMARY KEY)",
    postgres: None,
}];
static CHANGED: &[Migration] = &[Migration {
    version: 1,
    name: "a table",
    sql: "CREATE TABLE pins (id TEXT PRIMARY KEY)",
    postgres: None,
}];
static BROKEN: &[Migration] = &[
    Migration {
        version: 1,
        name: "a table",
        sql: "CREATE TABLE pins (id BIGINT PRIMARY KEY)",
        postgres: None,
    },
    Migration {
        version: 2,
        name: "a slip",
        sql: "CREATE TABLE boards (id BIGINT); CREATE TALBE slips",
        postgres: None,
    },
];

pub async fn migrations_run_once_whole_and_never_change(place: Place) {
    let db = database(&place, "one").await;
    let component = ComponentName::of("board");
    db.migrate(component, FIRST).await.expect("the first time");
    db.migrate(component, FIRST).await.expect("nothing to do");
    let changed = db.migrate(component, CHANGED).await.expect_err("history cannot change");
    let text = format!("{changed:?}");
    assert!(text.contains("migration 1 of board has changed"), "{text}");
    db.migrate(component, BROKEN).await.expect_err("its second step is not SQL");
    let mut read = db.read().await.expect("a reader");
    let boards = query("SELECT", "boards", "SELECT COUNT(*) FROM boards").one::<i64>(&mut read).await;
    boards.expect_err("half a migration is none");
}

#[tokio::test]
async fn bytes_are_kept_once_under_their_own_name() {
    let folder = TempDir::new().expect("a folder");
    let blobs = Blobs::open(&folder.path().join("blobs")).expect("opens");
    let bytes = Bytes::from_static(b"a heron at dawn");
    let (one, again) = (blobs.put(bytes.clone()).await, blobs.put(bytes.clone()).await);
    let key = one.expect("kept");
    assert_eq!(key, again.expect("a repeat is accepted"));
    assert_eq!(key, Blobs::key(&bytes), "the name follows from the bytes");
    assert_eq!(read(&blobs, &key).await.expect("there"), bytes);
    let missing = read(&blobs, &Blobs::key(b"nothing")).await.expect_err("never put");
    assert_eq!(missing.kind, RefusalKind::NotFound);
}

/// All bytes of a key.
async fn read(blobs: &Blobs, key: &str) -> Result<Vec<u8>, Refusal> {
    let mut reader = blobs.read(key).await?;
    let mut bytes = Vec::new();
    while let Some(more) = reader.next().await.expect("the file is ours") {
        bytes.extend_from_slice(&more);
    }
    assert_eq!(bytes.len() as u64, reader.length());
    Ok(bytes)
}

#[tokio::test]
async fn a_long_blob_is_read_in_pieces_also_while_it_is_removed() {
    let folder = TempDir::new().expect("a folder");
    let blobs = Blobs::open(&folder.path().join("blobs")).expect("opens");
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 7] {
        let bytes: Bytes = (0..length).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
        let key = blobs.put(bytes.clone()).await.expect("kept");
        assert_eq!(read(&blobs, &key).await.expect("there"), bytes, "{length}");
        let mut reader = blobs.read(&key).await.expect("there");
        assert!(blobs.remove(&key, Duration::ZERO) && !blobs.has(&key));
        let mut seen = 0;
        while let Some(more) = reader.next().await.expect("the file is open") {
            assert!(more.len() <= CHUNK_BYTES);
            seen += more.len();
        }
        assert_eq!(seen, length);
    }
}

#[tokio::test]
async fn what_is_unused_is_listed_and_what_was_put_again_is_not_removed() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("blobs");
    let blobs = Blobs::open(&path).expect("opens");
    let key = blobs.put(Bytes::from_static(b"an orphan")).await.expect("kept");
    // A crash in the middle of a write leaves a file like this.
    let staging = path.join(&key[..2]).join(format!("{}#1", &key[2..]));
    std::fs::write(&staging, b"an orp").expect("the folder is ours");
    let hour = Duration::from_secs(3_600);
    assert!(blobs.unused_for(hour).await.expect("reads").is_empty() && staging.exists());

    let long_ago = std::time::UNIX_EPOCH + hour;
    for file in [&staging, &path.join(&key[..2]).join(&key[2..])] {
        std::fs::File::open(file).expect("there").set_modified(long_ago).expect("ours");
    }
    assert_eq!(blobs.unused_for(hour).await.expect("reads"), [key.clone()].into());
    assert!(!staging.exists(), "half a file is of no use");
    // Put again between the listing and the removal: another upload needs it.
    blobs.put(Bytes::from_static(b"an orphan")).await.expect("kept");
    assert!(!blobs.remove(&key, hour) && blobs.has(&key));
    assert!(blobs.remove(&key, Duration::ZERO) && !blobs.has(&key));
}

#[tokio::test]
async fn a_restored_database_is_its_own() {
    let folder = TempDir::new().expect("a folder");
    let kept = TempDir::new_in(folder.path()).expect("a folder");
    let place = Place::folder(kept.path());
    let db = database(&place, "one.db").await;
    let bus = outbound(&db);
    publish(&db, &bus, 1).await.expect("published");
    db.checkpoint_and_close().await.expect("closes");
    let blobs = Blobs::open(&kept.path().join("blobs")).expect("opens");
    let key = blobs.put(Bytes::from_static(b"shared")).await.expect("kept");

    let copy = folder.path().join("copy");
    snapshot::restore(kept.path(), &copy).expect("copies");
    let restored = storage::Database::open(&copy.join("one.db"), storage::Options::default()).await;
    let restored = restored.expect("opens");
    publish(&restored, &outbound(&restored), 2).await.expect("published");
    assert_eq!(numbers(&restored, "SELECT number FROM written").await, [1, 2]);
    let original = database(&place, "one.db").await;
    assert_eq!(numbers(&original, "SELECT number FROM written").await, [1], "the snapshot stays as it was");
    let copied = Blobs::open(&copy.join("blobs")).expect("opens");
    assert_eq!(read(&copied, &key).await.expect("there"), b"shared");
}
