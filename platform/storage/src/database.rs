//! One database, one fair writer, a few readers.
//!
//! SQLite's own lock has no queue: writers poll with growing sleeps, and one
//! may wait for a second while others pass. So the writers of a process take
//! turns in a queue of ours; between processes SQLite's lock remains, and what
//! it costs is measured as the wait for the writer. On PostgreSQL an advisory lock takes its place, unless several
//! [`Options::writers`] are asked for.

use std::sync::Arc;
use std::time::Duration;

use runtime::cost::{self, Part};
use runtime::{Tasks, clock, scope};
use tokio::sync::Notify;
use tracing::Instrument;

use crate::connections::{Connections, ReadConnection};
use crate::engine::Opener;
use crate::fault::FaultInjector;
use crate::location::Location;
use crate::log_sync::LogSync;
use crate::options::Options;
use crate::{StorageError, Tx, folder, query, schema};

/// Wait for a reading connection before giving up.
const READER_TIMEOUT: Duration = Duration::from_secs(5);

/// A database. Cheap to clone; all clones share its writer.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    writers: Arc<Connections>,
    readers: Arc<Connections>,
    committed: Arc<Notify>,
    /// What makes commits durable, where the database itself does not.
    log: Option<Arc<LogSync>>,
    epoch: String,
    location: Location,
    shared: bool,
    faults: FaultInjector,
}

impl Database {
    /// Opens a database with storage's own tables, making its file or its schema if need be.
    ///
    /// # Errors
    /// When the folder or file cannot be made, the file is not a database, or its server refuses.
    pub async fn open(location: impl Into<Location>, options: Options) -> Result<Self, StorageError> {
        Self::open_at(location.into(), options).await
    }

    async fn open_at(location: Location, options: Options) -> Result<Self, StorageError> {
        if let Some(folder) = location.folder() {
            folder::create_private(folder)
                .map_err(|source| StorageError::File { path: folder.to_owned(), source })?;
        }
        let [writer, reader] = Opener::of(&location, &options);
        let log = writer.log().cloned();
        let writers = if location.has_server() { options.writers.max(1) } else { 1 };
        let mut database = Self {
            inner: Arc::new(Inner {
                writers: Connections::new(writer, writers, None),
                readers: Connections::new(reader, options.readers.max(1), Some(READER_TIMEOUT)),
                committed: Arc::new(Notify::new()),
                log,
                epoch: String::new(),
                location,
                shared: options.shared,
                faults: FaultInjector::default(),
            }),
        };
        if let Some(schema) = database.inner.location.schema() {
            let mut tx = database.write_alone().await?;
            tx.conn().batch(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"")).await?;
            tx.commit().await?;
        }
        database.migrate(schema::OWNER, schema::MIGRATIONS).await?;
        let epoch = database.read_epoch().await?;
        Arc::get_mut(&mut database.inner).expect("the only handle so far").epoch = epoch;
        Ok(database)
    }

    /// Names this very database: consumers of its outbox start anew when it changes.
    async fn read_epoch(&self) -> Result<String, StorageError> {
        let mut tx = self.write_alone().await?;
        let known: Option<String> =
            query("SELECT", "storage_epoch", "SELECT epoch FROM storage_epoch").optional(tx.conn()).await?;
        let epoch = match known {
            Some(epoch) => epoch,
            None => {
                let made =
                    format!("{:016x}", clock::wall_us() ^ i64::from(std::process::id()).rotate_left(40));
                query("INSERT", "storage_epoch", "INSERT INTO storage_epoch (epoch) VALUES ($1)")
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
        self.begin(false).await
    }

    /// The same, and no other of its kind meanwhile, in whatever process; where several may write at a time, these do.
    pub(crate) async fn write_alone(&self) -> Result<Tx, StorageError> {
        self.begin(true).await
    }

    async fn begin(&self, is_alone: bool) -> Result<Tx, StorageError> {
        let began = clock::now();
        let inner = &self.inner;
        inner.faults.check_operation(true).await?;
        let waiting = async {
            let writer = inner.writers.lend().await?;
            match Tx::begin(writer, inner.committed.clone(), is_alone).await {
                // The server was away while the connection lay idle. Nothing was asked of it yet.
                Err(StorageError::Unreachable(_)) => {
                    Tx::begin(inner.writers.lend().await?, inner.committed.clone(), is_alone).await
                }
                begun => begun,
            }
        };
        let span = telemetry::wait_span(telemetry::Wait::Tx);
        let tx = cost::part(Part::Queueing, waiting.instrument(span)).await?;
        telemetry::queue_wait(scope::component(), "tx", clock::now().saturating_duration_since(began));
        Ok(tx)
    }

    /// A reading connection. Keep it short: a long read keeps the log growing.
    ///
    /// # Errors
    /// When none gets free in time.
    pub async fn read(&self) -> Result<ReadConnection, StorageError> {
        let began = clock::now();
        self.inner.faults.check_operation(false).await?;
        let span = telemetry::wait_span(telemetry::Wait::Pool);
        let read = cost::part(Part::Queueing, self.inner.readers.lend().instrument(span)).await?;
        telemetry::queue_wait(scope::component(), "readers", clock::now().saturating_duration_since(began));
        Ok(ReadConnection(read))
    }

    /// Its injected faults.
    pub fn faults(&self) -> &FaultInjector {
        &self.inner.faults
    }

    /// Connections that read, at most.
    pub fn readers(&self) -> u32 {
        self.inner.readers.most()
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

    /// Waits until every commit that can be seen now is durable: before it has an effect in another database.
    ///
    /// # Errors
    /// [`StorageError::Lost`] when it is not known whether it is.
    pub(crate) async fn settled(&self) -> Result<(), StorageError> {
        match &self.inner.log {
            Some(log) => log.settled().await,
            None => Ok(()),
        }
    }

    /// Syncs of its log since it was opened, each for all commits that waited; 0 where the database sees to them.
    pub fn log_syncs(&self) -> u64 {
        self.inner.log.as_ref().map_or(0, |log| log.syncs())
    }

    /// Size of the write-ahead log, bytes; 0 where a server keeps one for all of its databases.
    pub fn wal_bytes(&self) -> u64 {
        let Some(path) = self.inner.location.file() else { return 0 };
        let mut path = path.to_owned().into_os_string();
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
        let done = query("DELETE", "storage_done", "DELETE FROM storage_done WHERE created_us < $1");
        done.bind(before_us).execute(tx.conn()).await?;
        let seen = query("DELETE", "inbox_seen", "DELETE FROM inbox_seen WHERE seen_us < $1");
        seen.bind(before_us).execute(tx.conn()).await?;
        tx.commit().await
    }

    /// Empties the log into the file and closes everything: the file alone can
    /// then be copied. A server's log is the server's affair.
    ///
    /// # Errors
    /// While a reader is open.
    pub async fn checkpoint_and_close(self) -> Result<(), StorageError> {
        self.inner.readers.close().await;
        let mut writer = self.inner.writers.lend().await?;
        writer.checkpoint().await?;
        drop(writer);
        self.inner.writers.close().await;
        Ok(())
    }

    /// Closes the connections; what was committed stays.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writers.close().await;
    }
}
