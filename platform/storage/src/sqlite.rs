//! SQLite (<https://www.sqlite.org>): a connection is used on the thread that asks.
//!
//! A point query of a few microseconds costs less than waking another thread would. What may take long (a scan, a commit
//! that waits for the disk, the lock of another process) goes to a thread that may block: [`Connection::off_thread`]. A statement
//! whose caller waits no longer is ended on either ([`Connection::until`]).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use runtime::clock;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, Statement};

use crate::log_sync::LogSync;
use crate::value::Value;
use crate::{Cause, StorageError};

/// Prepared statements kept per connection.
const STATEMENT_CACHE_CAPACITY: usize = 256;
/// Wait for the lock of another process before giving up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Instructions of SQLite's virtual machine between two looks at the clock: tens of microseconds of a scan. A point query has
/// fewer and takes none (<https://www.sqlite.org/c3ref/progress_handler.html>).
const INSTRUCTIONS_PER_LOOK: i32 = 1_000;
/// No statement is ended.
const NEVER: u64 = u64::MAX;

/// The extended code of a row that a unique index has already: UNIQUE, PRIMARYKEY, ROWID
/// (<https://www.sqlite.org/rescode.html>).
const UNIQUE_CODES: [i32; 3] = [2067, 1555, 2579];

/// A connection.
pub(crate) struct Connection {
    /// Away while work on another thread has it; for good where that was given up.
    raw: Option<rusqlite::Connection>,
    /// What makes its commits durable; `None` where they need not be.
    log: Option<Arc<LogSync>>,
    /// When the statement that runs is ended, on [`clock::now_ns`].
    ends_at_ns: Arc<AtomicU64>,
}

impl Connection {
    /// One that writes, with the file made if need be. It does not wait for the lock of another process, unless
    /// [`Connection::begin`] makes it. `log` is given where commits survive power loss.
    pub(crate) fn writer(
        path: &Path,
        synchronous: &'static str,
        log: Option<Arc<LogSync>>,
    ) -> Result<Self, StorageError> {
        let raw = rusqlite::Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        raw.busy_timeout(BUSY_TIMEOUT)?;
        raw.pragma_update(None, "journal_mode", "wal")?;
        raw.pragma_update(None, "synchronous", synchronous)?;
        raw.pragma_update(None, "foreign_keys", true)?;
        if let Some(log) = &log {
            // The log is there from the first read on.
            raw.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
            log.open(path)?;
        }
        raw.busy_timeout(Duration::ZERO)?;
        Ok(Self { log, ..Self::of(raw)? })
    }

    /// One that reads. In a log's mode no writer is in its way.
    pub(crate) fn reader(path: &Path) -> Result<Self, StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(path, flags)?;
        raw.busy_timeout(BUSY_TIMEOUT)?;
        Self::of(raw)
    }

    fn of(raw: rusqlite::Connection) -> Result<Self, StorageError> {
        raw.set_prepared_statement_cache_capacity(STATEMENT_CACHE_CAPACITY);
        let ends_at_ns = Arc::new(AtomicU64::new(NEVER));
        let ends_at = ends_at_ns.clone();
        let is_late = move || {
            let ends_at_ns = ends_at.load(Ordering::Relaxed);
            ends_at_ns != NEVER && clock::now_ns() >= ends_at_ns
        };
        raw.progress_handler(INSTRUCTIONS_PER_LOOK, Some(is_late))?;
        Ok(Self { raw: Some(raw), log: None, ends_at_ns })
    }

    /// Statements within `work` end at the deadline, where there is one. One that changes rows takes its transaction with it
    /// (<https://www.sqlite.org/c3ref/interrupt.html>), and the connection: what would follow had no transaction to be part of.
    pub(crate) fn until<T>(
        &mut self,
        deadline: Option<Instant>,
        work: impl FnOnce(&mut Self) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let had_transaction = self.has_transaction();
        // Also without one: an earlier statement may have panicked.
        self.ends_at_ns.store(deadline.map_or(NEVER, clock::ns_at), Ordering::Relaxed);
        let result = work(self);
        self.ends_at_ns.store(NEVER, Ordering::Relaxed);
        let was_ended = matches!(result, Err(StorageError::DeadlineExceeded(_)));
        if was_ended && had_transaction && !self.has_transaction() {
            self.raw = None;
        }
        result
    }

    /// Whether it can be used again.
    pub(crate) const fn is_whole(&self) -> bool {
        self.raw.is_some()
    }

    /// What makes its commits durable.
    pub(crate) fn log(&self) -> Option<&Arc<LogSync>> {
        self.log.as_ref()
    }

    fn raw(&self) -> Result<&rusqlite::Connection, StorageError> {
        self.raw.as_ref().ok_or_else(|| StorageError::Other("its connection was given up".into()))
    }

    /// Runs one statement: `work` gets it with its values bound.
    pub(crate) fn run<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        work: impl FnOnce(&mut Statement<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let mut statement = self.raw()?.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        work(&mut statement)
    }

    /// Runs one statement and counts the rows that changed.
    pub(crate) fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StorageError> {
        self.run(sql, values, |statement| Ok(statement.raw_execute()? as u64))
    }

    /// Runs one statement for each row of values, and counts the rows that changed.
    pub(crate) fn run_each<'v, const N: usize>(
        &mut self,
        sql: &str,
        rows: impl IntoIterator<Item = [Value<'v>; N]>,
    ) -> Result<u64, StorageError> {
        let mut statement = self.raw()?.prepare_cached(sql)?;
        let mut changed = 0;
        for row in rows {
            bind(&mut statement, &row)?;
            changed += statement.raw_execute()? as u64;
        }
        Ok(changed)
    }

    /// Runs statements that give nothing back.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        Ok(self.raw()?.execute_batch(sql)?)
    }

    /// Begins a write transaction: at once, or when another process has let the file go.
    pub(crate) async fn begin(&mut self) -> Result<(), StorageError> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        match self.execute(BEGIN, &[]) {
            Err(StorageError::Busy(_)) => {
                let waited = self.off_thread(|connection| {
                    connection.raw()?.busy_timeout(BUSY_TIMEOUT)?;
                    let begun = connection.execute(BEGIN, &[]);
                    connection.raw()?.busy_timeout(Duration::ZERO)?;
                    begun
                });
                waited.await.map(drop)
            }
            begun => begun.map(drop),
        }
    }

    /// Commits a transaction. It is durable with the next sync of the log, where there is one for it.
    pub(crate) fn commit(&mut self) -> Result<(), StorageError> {
        self.execute("COMMIT", &[]).map(drop).map_err(|error| match error {
            StorageError::Busy(source) | StorageError::Other(source) => StorageError::Lost(source),
            known => known,
        })
    }

    fn has_transaction(&self) -> bool {
        self.raw.as_ref().is_some_and(|raw| !raw.is_autocommit())
    }

    /// Ends a transaction that is still open, as if it had never begun.
    pub(crate) fn roll_back(&mut self) {
        if self.has_transaction() && self.batch("ROLLBACK").is_err() {
            // Closed, and with it the transaction.
            self.raw = None;
        }
    }

    /// Runs `work` on a thread that may block. Given up meanwhile, the work goes on to its end and takes the connection
    /// with it.
    pub(crate) async fn off_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let mut away = Self { raw: self.raw.take(), log: None, ends_at_ns: self.ends_at_ns.clone() };
        let (raw, result) = runtime::blocking(move || {
            let result = work(&mut away);
            (away.raw, result)
        })
        .await;
        self.raw = raw;
        result
    }
}

/// Values by the numbers of their placeholders, which need not stand in order: `$2` is the second value.
fn bind(statement: &mut Statement<'_>, values: &[Value<'_>]) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).unwrap_or_default();
        let value = name.strip_prefix('$').and_then(|number| values.get(number.parse::<usize>().ok()? - 1));
        match value {
            Some(value) => statement.raw_bind_parameter(index, value)?,
            // Left out, it would be NULL without a word.
            None => return Err(rusqlite::Error::InvalidParameterName(name.to_owned())),
        }
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        let kind = error.sqlite_error().map(|failure| (failure.code, failure.extended_code));
        let source: Cause = error.into();
        match kind {
            Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => Self::Busy(source),
            // By no one else than the handler of its progress.
            Some((ErrorCode::OperationInterrupted, _)) => Self::DeadlineExceeded(source),
            Some((ErrorCode::DiskFull, _)) => Self::Full(source),
            Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => Self::Corrupt(source),
            Some((_, code)) if UNIQUE_CODES.contains(&code) => Self::Unique(source),
            _ => Self::Other(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_its_own_kind() {
        let full =
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
        assert!(matches!(StorageError::from(full), StorageError::Full(_)));
    }

    #[test]
    fn connections_of_a_process_share_no_lock_in_sqlite() {
        let connection = rusqlite::Connection::open_in_memory().expect("memory");
        let mut statement = connection.prepare("PRAGMA compile_options").expect("a pragma");
        let options = statement.query_map([], |row| row.get::<_, String>(0)).expect("a query");
        let options: Vec<String> = options.map(|option| option.expect("text")).collect();
        assert!(options.contains(&"DEFAULT_MEMSTATUS=0".into()), "see .cargo/config.toml: {options:?}");
        assert!(!options.contains(&"ENABLE_MEMORY_MANAGEMENT".into()), "see .cargo/config.toml: {options:?}");
    }
}
