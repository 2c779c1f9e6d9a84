//! The seam between database products: a connection of one of them, and which one it is.
//!
//! SQLite runs in place, on the thread that asks, as if there were no other. PostgreSQL is there with the feature
//! `postgres`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::location::Location;
use crate::log_sync::LogSync;
use crate::{StorageError, Synchronous, sqlite};

/// A connection to a database.
pub struct Connection(pub(crate) Product);

/// A connection as its product has it.
pub(crate) enum Product {
    Sqlite(Box<sqlite::Connection>),
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Connection>),
}

/// A database product, for the few statements that differ between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// Its name in telemetry (OpenTelemetry, `db.system.name`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }
}

/// How a connection is opened.
pub(crate) enum Opener {
    /// One that writes to a SQLite file, what SQLite sees to with each commit, and what makes commits durable besides.
    SqliteWriter(PathBuf, &'static str, Option<Arc<LogSync>>),
    /// One that reads a SQLite file.
    SqliteReader(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Opener>),
}

impl Opener {
    /// The one that writes to a database, and the one that reads it.
    pub fn of(location: &Location, options: &crate::Options) -> [Self; 2] {
        match location {
            Location::File(path) => {
                let (synchronous, log) = match options.synchronous {
                    Synchronous::Full => (Synchronous::Normal, Some(LogSync::new())),
                    other => (other, None),
                };
                [Self::SqliteWriter(path.clone(), synchronous.name(), log), Self::SqliteReader(path.clone())]
            }
            #[cfg(feature = "postgres")]
            Location::Postgres(address) => {
                use crate::postgres::{Access, Opener};
                [Access::Write, Access::Read]
                    .map(|access| Self::Postgres(Box::new(Opener::new(address, access, options))))
            }
        }
    }

    /// What makes commits durable, where SQLite itself does not.
    pub fn log(&self) -> Option<&Arc<LogSync>> {
        match self {
            Self::SqliteWriter(_, _, log) => log.as_ref(),
            Self::SqliteReader(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    /// Opens one.
    pub async fn open(&self) -> Result<Connection, StorageError> {
        let sqlite = match self {
            Self::SqliteWriter(path, synchronous, log) => {
                let (path, synchronous, log) = (path.clone(), *synchronous, log.clone());
                runtime::blocking(move || sqlite::Connection::writer(&path, synchronous, log)).await
            }
            Self::SqliteReader(path) => {
                let path = path.clone();
                runtime::blocking(move || sqlite::Connection::reader(&path)).await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(opener) => {
                return Ok(Connection(Product::Postgres(Box::new(opener.open().await?))));
            }
        };
        sqlite.map(|connection| Connection(Product::Sqlite(Box::new(connection))))
    }
}

impl Connection {
    /// Which product it is.
    pub const fn dialect(&self) -> Dialect {
        match &self.0 {
            Product::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Product::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Whether it can be used again.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.0 {
            Product::Sqlite(sqlite) => sqlite.is_whole(),
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => postgres.is_whole(),
        }
    }

    /// Whether it still stands, after some time without use: a server may have gone meanwhile.
    pub(crate) fn still_stands(&mut self) -> bool {
        match &mut self.0 {
            Product::Sqlite(_) => true,
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => postgres.still_stands(),
        }
    }

    /// Runs statements that give nothing back.
    pub(crate) async fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        match &mut self.0 {
            Product::Sqlite(sqlite) => sqlite.batch(sql),
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => postgres.batch(sql).await,
        }
    }

    /// Empties a log of SQLite's into its file.
    pub(crate) async fn checkpoint(&mut self) -> Result<(), StorageError> {
        match &mut self.0 {
            Product::Sqlite(sqlite) => {
                sqlite.off_thread(|connection| connection.batch("PRAGMA wal_checkpoint(TRUNCATE)")).await
            }
            #[cfg(feature = "postgres")]
            Product::Postgres(_) => Ok(()),
        }
    }

    /// Begins a write transaction, when no other is open: other processes included. `is_alone` asks for that also
    /// where writers of a database are allowed to write at a time.
    #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "SQLite has one writer"))]
    pub(crate) async fn begin(&mut self, is_alone: bool) -> Result<(), StorageError> {
        match &mut self.0 {
            Product::Sqlite(sqlite) => sqlite.begin().await,
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => postgres.begin(is_alone).await,
        }
    }

    /// What makes its commits durable, after [`Connection::commit_in_place`].
    pub(crate) fn log(&self) -> Option<&Arc<LogSync>> {
        match &self.0 {
            Product::Sqlite(sqlite) => sqlite.log(),
            #[cfg(feature = "postgres")]
            Product::Postgres(_) => None,
        }
    }

    /// Commits a transaction of SQLite, on a thread that may block.
    pub(crate) fn commit_in_place(&mut self) -> Result<(), StorageError> {
        match &mut self.0 {
            Product::Sqlite(sqlite) => sqlite.commit(),
            #[cfg(feature = "postgres")]
            Product::Postgres(_) => unreachable!("it is committed by `commit`"),
        }
    }

    /// Makes a transaction durable with the events that are written last.
    #[cfg(feature = "postgres")]
    pub(crate) async fn commit(&mut self, events: &[contract::Envelope]) -> Result<(), StorageError> {
        match &mut self.0 {
            Product::Sqlite(_) => unreachable!("it is committed in place"),
            Product::Postgres(postgres) => postgres.commit(events).await,
        }
    }

    /// Ends a transaction that is still open, as if it had never begun.
    pub(crate) fn roll_back(&mut self) {
        match &mut self.0 {
            Product::Sqlite(sqlite) => sqlite.roll_back(),
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => postgres.roll_back(),
        }
    }
}
