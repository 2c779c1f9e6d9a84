//! An operator's session: it locks or changes a table, looks at the sessions of others, or takes up room on a server.

use std::time::Duration;

use super::connection::Connection;
use super::{Access, Address, Opener};
use crate::value::FromRow;
use crate::{Options, StorageError, Value};

/// What its sessions are called, so that they are not taken for an application's.
const NAME: &str = "cleave-operator";

/// The column that operators add, fill and drop: no statement of an application names it.
const COLUMN: &str = "operator_column";

/// Statements under way in another session that wait for this one, each by its process and when it began. It may wait for
/// a lock that this one holds, or has asked for before.
const WAITING: &str = "SELECT CAST(pid AS BIGINT), CAST(EXTRACT(EPOCH FROM query_start) * 1000000 AS BIGINT)
     FROM pg_stat_activity
     WHERE CASE WHEN wait_event_type = 'Lock' AND backend_type = 'client backend'
                THEN CAST($1 AS INTEGER) = ANY (pg_blocking_pids(pid)) ELSE FALSE END";

/// The processes of applications' sessions: those at work first, then those that worked last.
const BACKENDS: &str = "SELECT CAST(pid AS BIGINT) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND application_name <> 'cleave-operator'
     ORDER BY state = 'idle', state_change DESC, pid";

/// Connections that a server still takes. Those that are kept for superusers are among them: operators are superusers.
const FREE: &str =
    "SELECT CAST(current_setting('max_connections') AS BIGINT) - COUNT(*) FROM pg_stat_activity
     WHERE backend_type = 'client backend'";

/// Whether the user of a session may make databases.
const MAY_CREATE: &str =
    "SELECT CASE WHEN rolcreatedb OR rolsuper THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END
     FROM pg_roles WHERE rolname = current_user";

/// Databases whose names and comments begin so, each with whether it is in use: a session is open in it, or one that holds it is.
const DATABASES: &str = "SELECT CAST(datname AS TEXT), EXISTS (
         SELECT 1 FROM pg_stat_activity AS other
         WHERE other.datname = known.datname
            OR (starts_with(other.application_name, CAST($1 AS TEXT))
                AND starts_with(CAST(known.datname AS TEXT), other.application_name)))
     FROM pg_database AS known
     WHERE starts_with(CAST(datname AS TEXT), CAST($1 AS TEXT))
       AND starts_with(COALESCE(shobj_description(oid, 'pg_database'), ''), CAST($2 AS TEXT))
     ORDER BY 1";

/// Databases of a name, and statements under way that make one. A server goes on with such a statement when its client has died.
const OF_NAME: &str = "SELECT
         (SELECT COUNT(*) FROM pg_database WHERE CAST(datname AS TEXT) = CAST($1 AS TEXT))
         + (SELECT COUNT(*) FROM pg_stat_activity
            WHERE state = 'active' AND pid <> pg_backend_pid() AND query = CAST($2 AS TEXT))";

/// A statement that waits for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockWait {
    /// The server's process of its session.
    pub pid: i64,
    /// When it began, microseconds since 1970.
    pub began_us: i64,
}

/// A session of an operator. The server ends it when its connection does, whatever became of this process.
pub struct Session {
    connection: Connection,
    pid: i64,
}

impl Session {
    /// Opens one.
    ///
    /// # Errors
    /// [`StorageError::Busy`] when the server takes no more connections; when there is no server, or it refuses the user.
    pub async fn open(address: &Address) -> Result<Self, StorageError> {
        Self::open_as(address, NAME).await
    }

    /// Opens one that holds the databases whose names begin with `prefix`, those that are made later among them: as long as it is
    /// open, [`Session::databases`] has them as in use, wherever it is asked. A name is cut at 63 bytes.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn hold(address: &Address, prefix: &str) -> Result<Self, StorageError> {
        Self::open_as(address, prefix).await
    }

    async fn open_as(address: &Address, name: &str) -> Result<Self, StorageError> {
        let address = address.clone().application_name(name);
        let connection = Opener::new(&address, Access::Write, &Options::bulk()).open().await?;
        let mut session = Self { connection, pid: 0 };
        session.pid = session.one("SELECT CAST(pg_backend_pid() AS BIGINT)").await?;
        Ok(session)
    }

    /// The server's process of this session.
    pub const fn pid(&self) -> i64 {
        self.pid
    }

    /// Whether its connection has not ended.
    pub fn is_open(&mut self) -> bool {
        self.connection.still_stands()
    }

    /// Locks a table as `ALTER TABLE` does: no other session reads or writes it until [`Session::unlock`], and from now on
    /// all that ask for it wait behind this one. The server gives up after waiting for so long, and ends the session by itself
    /// when it has held the lock for `most`.
    ///
    /// # Errors
    /// [`StorageError::Busy`] when others held the table for that long; when there is no such table.
    pub async fn lock_table(
        &mut self,
        table: &str,
        wait: Duration,
        most: Duration,
    ) -> Result<(), StorageError> {
        let (wait, most) = (wait.as_millis().max(1), most.as_millis().max(1));
        let settings = format!(
            "SET LOCAL lock_timeout = {wait}; SET LOCAL idle_in_transaction_session_timeout = {most}"
        );
        let table = super::admin::quoted(table);
        let statements = format!("BEGIN; {settings}; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        let locked = self.connection.batch(&statements).await;
        if locked.is_err() {
            // The failed transaction; there is none where the connection has ended.
            let _ = self.unlock().await;
        }
        locked
    }

    /// Ends the transaction that holds the lock. Nothing was changed.
    ///
    /// # Errors
    /// When the connection has ended, and the lock with it.
    pub async fn unlock(&mut self) -> Result<(), StorageError> {
        self.connection.batch("ROLLBACK").await
    }

    /// Adds a column to a table: rows that are there have no value in it, those that come have one. As long as it waits for
    /// those that use the table all others wait behind it, so the server gives up after so long.
    ///
    /// # Errors
    /// [`StorageError::Busy`] when others used the table for that long; when there is no such table, or the column is there.
    pub async fn add_column(&mut self, table: &str, wait: Duration) -> Result<(), StorageError> {
        let change = format!("ADD COLUMN {COLUMN} BIGINT, ALTER COLUMN {COLUMN} SET DEFAULT 0");
        self.alter_table(table, &change, wait).await
    }

    /// Drops that column, and waits for it no longer than so.
    ///
    /// # Errors
    /// [`StorageError::Busy`] when others used the table for that long; when there is no such column.
    pub async fn drop_column(&mut self, table: &str, wait: Duration) -> Result<(), StorageError> {
        self.alter_table(table, &format!("DROP COLUMN {COLUMN}"), wait).await
    }

    async fn alter_table(&mut self, table: &str, change: &str, wait: Duration) -> Result<(), StorageError> {
        let (table, wait) = (super::admin::quoted(table), wait.as_millis().max(1));
        let alter = format!("SET LOCAL lock_timeout = {wait}; ALTER TABLE {table} {change}");
        let altered = self.connection.batch(&format!("BEGIN; {alter}; COMMIT")).await;
        if altered.is_err() {
            // The failed transaction; there is none where the connection has ended.
            let _ = self.unlock().await;
        }
        altered
    }

    /// Gives at most `most` rows a value in that column, in one transaction. Rows that others have locked are left out. Returns
    /// how many it were.
    ///
    /// # Errors
    /// When there is no such column, or the connection has ended.
    pub async fn fill_column(&mut self, table: &str, most: u64) -> Result<u64, StorageError> {
        let table = super::admin::quoted(table);
        let lot =
            format!("SELECT ctid FROM {table} WHERE {COLUMN} IS NULL LIMIT {most} FOR UPDATE SKIP LOCKED");
        let fill = format!("UPDATE {table} SET {COLUMN} = 0 WHERE ctid = ANY (ARRAY({lot}))");
        self.connection.execute(&fill, &[]).await
    }

    /// How many rows have no value in that column.
    ///
    /// # Errors
    /// When there is no such column, or the connection has ended.
    pub async fn rows_to_fill(&mut self, table: &str) -> Result<u64, StorageError> {
        let table = super::admin::quoted(table);
        let count = self.one(&format!("SELECT COUNT(*) FROM {table} WHERE {COLUMN} IS NULL")).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// The statements of other sessions that wait for the session of a process.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn waiting_for(&mut self, pid: i64) -> Result<Vec<LockWait>, StorageError> {
        let found = self.rows::<(i64, i64)>(WAITING, &[pid.into()]).await?;
        Ok(found.into_iter().map(|(pid, began_us)| LockWait { pid, began_us }).collect())
    }

    /// The processes of the sessions that are no operator's, in all databases: those at work first.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn application_backends(&mut self) -> Result<Vec<i64>, StorageError> {
        self.rows(BACKENDS, &[]).await
    }

    /// How many connections more the server takes of superusers.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn free_connections(&mut self) -> Result<usize, StorageError> {
        Ok(usize::try_from(self.one(FREE).await?).unwrap_or_default())
    }

    /// Whether its user may make databases on the server.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn may_create_databases(&mut self) -> Result<bool, StorageError> {
        Ok(self.one(MAY_CREATE).await? == 1)
    }

    /// The databases whose names begin with `prefix` and whose comments begin with `comment`, in order, each with whether it is in
    /// use.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn databases(
        &mut self,
        prefix: &str,
        comment: &str,
    ) -> Result<Vec<(String, bool)>, StorageError> {
        self.rows(DATABASES, &[prefix.into(), comment.into()]).await
    }

    /// Whether there is a database of a name, or [`create_database`](super::create_database) is making one.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn has_database(&mut self, name: &str) -> Result<bool, StorageError> {
        let making = super::admin::making(name);
        let found: Vec<i64> = self.rows(OF_NAME, &[name.into(), making.as_str().into()]).await?;
        Ok(found != [0])
    }

    async fn one(&mut self, sql: &str) -> Result<i64, StorageError> {
        let found = self.rows(sql, &[]).await?;
        found.first().copied().ok_or_else(|| StorageError::Other("the server answered nothing".into()))
    }

    async fn rows<T: FromRow>(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<T>, StorageError> {
        let mut found = Vec::new();
        let read = |row: crate::value::Row<'_>| T::from_row(row).map(|row| found.push(row));
        self.connection.rows(sql, values, read).await?;
        Ok(found)
    }
}
