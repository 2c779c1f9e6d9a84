//! One file, one fair writer, a few readers.
//!
//! SQLite's own lock has no queue: writers poll with growing sleeps, and one
//! may wait for a second while others pass. So the writers of a process take
//! turns in a queue of ours; between processes SQLite's lock remains, and what
//! it costs is measured as the wait for the writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runtime::cost::{self, Part};
use runtime::{Tasks, clock, scope};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{Notify, Semaphore};
use tracing::Instrument;

use crate::engine::{Pool, ReadConnection};
use crate::fault::FaultInjector;
use crate::tx::{Tx, query};
use crate::{StorageError, schema};

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Power loss: what an acknowledged write means by default.
    #[default]
    Full,
    /// A killed process, not power loss.
    Normal,
    /// Nothing: only for files that are made and thrown away.
    Off,
}

impl Synchronous {
    /// Its name, as SQLite has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
            Self::Off => "off",
        }
    }
}

/// How a database is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What a commit survives.
    pub synchronous: Synchronous,
    /// Reading connections; each owns a thread.
    pub readers: u32,
    /// Other processes use the same file: their commits wake no waiter here, so
    /// consumers poll more often.
    pub shared: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { synchronous: Synchronous::Full, readers: 2, shared: false }
    }
}

impl Options {
    /// For filling a fresh file that is copied afterwards.
    pub const fn bulk() -> Self {
        Self { synchronous: Synchronous::Off, readers: 1, shared: false }
    }
}

/// Wait for the lock of another process before giving up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Wait for a connection of ours before giving up.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection.
const STATEMENT_CACHE_CAPACITY: usize = 256;

/// A database. Cheap to clone; all clones share its writer.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Pool,
    readers: Pool,
    writer_turn: Arc<Semaphore>,
    committed: Arc<Notify>,
    epoch: String,
    path: PathBuf,
    shared: bool,
    max_readers: u32,
    faults: FaultInjector,
}

impl Database {
    /// Opens a file, making it if need be, with storage's own tables.
    ///
    /// # Errors
    /// When the folder or file cannot be made, or the file is not a database.
    pub async fn open(path: &Path, options: Options) -> Result<Self, StorageError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| StorageError::File { path: folder.to_owned(), source })?;
        }
        let synchronous = match options.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Off => SqliteSynchronous::Off,
        };
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENT_CACHE_CAPACITY)
            .foreign_keys(true);
        let pool = |connections: u32| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(connect.clone()).await?;
        let readers =
            pool(options.readers.max(1)).connect_lazy_with(connect.read_only(true).create_if_missing(false));
        let mut database = Self {
            inner: Arc::new(Inner {
                writer,
                readers,
                writer_turn: Arc::new(Semaphore::new(1)),
                committed: Arc::new(Notify::new()),
                epoch: String::new(),
                path: path.to_owned(),
                shared: options.shared,
                max_readers: options.readers.max(1),
                faults: FaultInjector::default(),
            }),
        };
        database.migrate(schema::OWNER, schema::MIGRATIONS).await?;
        let epoch = database.read_epoch().await?;
        Arc::get_mut(&mut database.inner).expect("the only handle so far").epoch = epoch;
        Ok(database)
    }

    /// Names this very database: consumers of its outbox start anew when it changes.
    async fn read_epoch(&self) -> Result<String, StorageError> {
        let mut tx = self.write().await?;
        let known: Option<String> =
            sqlx::query_scalar("SELECT epoch FROM storage_epoch").fetch_optional(tx.conn()).await?;
        let epoch = match known {
            Some(epoch) => epoch,
            None => {
                let made =
                    format!("{:016x}", clock::wall_us() ^ i64::from(std::process::id()).rotate_left(40));
                sqlx::query("INSERT INTO storage_epoch (epoch) VALUES ($1)")
                    .bind(&made)
                    .execute(tx.conn())
                    .await?;
                made
            }
        };
        tx.commit().await?;
        Ok(epoch)
    }

    /// A write transaction, when it is this writer's turn. It begins at once
    /// as a writer: one that read first and wrote later could not go on.
    ///
    /// # Errors
    /// When another process holds the file for too long.
    pub async fn write(&self) -> Result<Tx, StorageError> {
        let began = clock::now();
        let inner = &self.inner;
        inner.faults.check_operation(true).await?;
        let waiting = async {
            let permit = inner.writer_turn.clone().acquire_owned().await.expect("the turn is never closed");
            let tx = inner.writer.begin_with("BEGIN IMMEDIATE").await?;
            Ok::<_, StorageError>((permit, tx))
        };
        let span = telemetry::wait_span(telemetry::Wait::Tx);
        let (permit, tx) = cost::part(Part::Queueing, waiting.instrument(span)).await?;
        telemetry::queue_wait(scope::component(), "tx", clock::now().saturating_duration_since(began));
        Ok(Tx::new(tx, permit, inner.committed.clone()))
    }

    /// A reading connection. Keep it short: a long read keeps the log growing.
    ///
    /// # Errors
    /// When none gets free in time.
    pub async fn read(&self) -> Result<ReadConnection, StorageError> {
        let began = clock::now();
        self.inner.faults.check_operation(false).await?;
        let span = telemetry::wait_span(telemetry::Wait::Pool);
        let read = cost::part(Part::Queueing, self.inner.readers.acquire().instrument(span)).await?;
        telemetry::queue_wait(scope::component(), "readers", clock::now().saturating_duration_since(began));
        Ok(read)
    }

    /// Its injected faults.
    pub fn faults(&self) -> &FaultInjector {
        &self.inner.faults
    }

    /// Connections that read, at most.
    pub fn readers(&self) -> u32 {
        self.inner.max_readers
    }

    /// Names this very database.
    pub fn epoch(&self) -> &str {
        &self.inner.epoch
    }

    /// Whether other processes use the file.
    pub fn is_shared(&self) -> bool {
        self.inner.shared
    }

    /// Signalled after every commit that published something.
    pub(crate) fn committed(&self) -> &Notify {
        &self.inner.committed
    }

    /// Size of the write-ahead log, bytes.
    pub fn wal_bytes(&self) -> u64 {
        let mut path = self.inner.path.clone().into_os_string();
        path.push("-wal");
        std::fs::metadata(path).map_or(0, |meta| meta.len())
    }

    /// Measures the logs of a process's databases and forgets what is too old to matter.
    pub fn start_maintenance(databases: Vec<Self>, tasks: &Tasks) {
        /// A repeat with the same key comes within minutes, not days.
        const RETENTION_US: i64 = 24 * 3_600 * 1_000_000;
        const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(30);
        tasks.spawn("storage.maintenance", runtime::ShutdownPolicy::Cancel, async move {
            loop {
                telemetry::wal_bytes(databases.iter().map(Self::wal_bytes).sum());
                tokio::time::sleep(MAINTENANCE_INTERVAL).await;
                for database in &databases {
                    if let Err(error) = database.delete_older_than(clock::wall_us() - RETENTION_US).await {
                        tracing::warn!(%error, "old rows were not forgotten");
                    }
                }
            }
        });
    }

    async fn delete_older_than(&self, before_us: i64) -> Result<(), StorageError> {
        let mut tx = self.write().await?;
        let done = sqlx::query("DELETE FROM storage_done WHERE created_us < $1").bind(before_us);
        query("DELETE", "storage_done", done.execute(tx.conn())).await?;
        let seen = sqlx::query("DELETE FROM inbox_seen WHERE seen_us < $1").bind(before_us);
        query("DELETE", "inbox_seen", seen.execute(tx.conn())).await?;
        tx.commit().await
    }

    /// Empties the log into the file and closes everything: the file alone can
    /// then be copied.
    ///
    /// # Errors
    /// While a reader is open.
    pub async fn checkpoint_and_close(self) -> Result<(), StorageError> {
        self.inner.readers.close().await;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.inner.writer).await?;
        self.inner.writer.close().await;
        Ok(())
    }

    /// Closes the connections; what was committed stays.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }
}
