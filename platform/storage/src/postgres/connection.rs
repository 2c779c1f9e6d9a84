//! A connection: statements, prepared once; a transaction that knows whether a statement of it failed.

use std::pin::pin;

use contract::Envelope;
use futures_util::future::{join, join_all};
use futures_util::{FutureExt, TryStreamExt};
use tokio_postgres::{Client, Error, Statement};

use super::driver::Driver;
use super::error;
use super::statements::Statements;
use crate::value::{Row, RowOf};
use crate::{StorageError, Value, dialect};

/// Statements under way at once, where the same one is run for many rows: a round trip for all of them.
const PIPELINED: usize = 64;

/// Who may write at a time, and the keys of the advisory locks that see to it.
#[derive(Clone, Copy)]
pub(crate) struct Turns {
    /// Whether one transaction writes at a time, in all processes, as with SQLite.
    pub is_one_at_a_time: bool,
    /// Held by a transaction that writes alone.
    pub writer_lock: i64,
    /// Held from the first event of a transaction until its commit.
    pub outbox_lock: i64,
}

/// Whether a transaction is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// A statement of it failed. The server undoes all of it, and answers a `COMMIT` as if it had not.
    Failed,
}

/// A connection.
pub(crate) struct Connection {
    client: Client,
    driver: Driver,
    turns: Turns,
    statements: Statements,
    transaction: Transaction,
    /// A statement was sent whose answer has not come.
    is_waiting: bool,
    /// A scan that may be long is under way: given up, it is not worth waiting for.
    is_scanning: bool,
    is_spoiled: bool,
}

impl Connection {
    pub(super) fn new(client: Client, driver: Driver, turns: Turns) -> Self {
        Self {
            client,
            driver,
            turns,
            statements: Statements::default(),
            transaction: Transaction::None,
            is_waiting: false,
            is_scanning: false,
            is_spoiled: false,
        }
    }

    /// Whether it can be used again.
    pub const fn is_whole(&self) -> bool {
        !self.is_spoiled && !self.is_scanning && self.driver.is_open()
    }

    /// The same after some time without use.
    pub fn still_stands(&mut self) -> bool {
        self.driver.turn();
        self.is_whole()
    }

    /// A statement is about to be sent.
    fn send(&mut self) {
        // The last one was given up: its answer, which was not read, may be an error.
        if std::mem::replace(&mut self.is_waiting, true) && self.transaction == Transaction::Open {
            self.transaction = Transaction::Failed;
        }
    }

    /// It was answered.
    fn settle<T>(&mut self, result: Result<T, Error>) -> Result<T, StorageError> {
        self.is_waiting = false;
        result.map_err(|error| {
            if self.transaction == Transaction::Open {
                self.transaction = Transaction::Failed;
            }
            self.is_spoiled |= error::spoils_connection(&error);
            error.into()
        })
    }

    pub(super) async fn prepared(&mut self, sql: &str) -> Result<Statement, StorageError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement);
        }
        self.send();
        let prepared = self.driver.drive(self.client.prepare(sql)).await;
        let statement = self.settle(prepared)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Runs one statement and counts the rows that changed.
    pub async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StorageError> {
        let statement = self.prepared(sql).await?;
        self.send();
        let changed = self.driver.drive(self.client.execute_raw(&statement, values)).await;
        self.settle(changed)
    }

    /// Runs one statement for each row of values, and counts the rows that changed.
    pub async fn execute_each<const N: usize>(
        &mut self,
        sql: &str,
        rows: &[[Value<'_>; N]],
    ) -> Result<u64, StorageError> {
        let statement = self.prepared(sql).await?;
        let mut changed = 0;
        for lot in rows.chunks(PIPELINED) {
            self.send();
            let sent: Vec<_> = lot.iter().map(|row| self.client.execute_raw(&statement, row)).collect();
            let counts = self.driver.drive(join_all(sent)).await;
            let counts: Result<Vec<u64>, Error> = counts.into_iter().collect();
            changed += self.settle(counts)?.into_iter().sum::<u64>();
        }
        Ok(changed)
    }

    /// Runs one statement and hands every row to `each`.
    pub async fn rows(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut each: impl FnMut(Row<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let statement = self.prepared(sql).await?;
        self.send();
        let client = &self.client;
        let read = async {
            let mut rows = pin!(client.query_raw(&statement, values).await?);
            let mut outcome = Ok(());
            while let Some(row) = rows.try_next().await? {
                if outcome.is_ok() {
                    outcome = each(Row(RowOf::Postgres(&row)));
                }
            }
            Ok(outcome)
        };
        let outcome = self.driver.drive(read).await;
        self.settle(outcome)?
    }

    /// The same of a table of any size.
    pub async fn scan(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        each: impl FnMut(Row<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        self.is_scanning = true;
        let outcome = self.rows(sql, values, each).await;
        self.is_scanning = false;
        outcome
    }

    /// Runs statements that give nothing back.
    pub async fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        self.send();
        let done = self.driver.drive(self.client.batch_execute(sql)).await;
        self.settle(done)
    }

    /// Begins a transaction, alone where that is asked for or where one writes at a time anyway: the isolation of the
    /// level below is then enough, since every statement sees what the writers before have committed. Writers that
    /// do not take turns are kept from lost updates and write skew by the highest level.
    pub async fn begin(&mut self, is_alone: bool) -> Result<(), StorageError> {
        const TAKING_TURNS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
        const CONCURRENT: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
        if !is_alone && !self.turns.is_one_at_a_time {
            self.open_transaction();
            return self.batch(CONCURRENT).await;
        }
        let lock = self.prepared(dialect::LOCK).await?;
        self.open_transaction();
        self.send();
        let begun = self.client.batch_execute(TAKING_TURNS);
        let locked = self.client.execute_raw(&lock, [self.turns.writer_lock]);
        let (begun, locked) = self.driver.drive(join(begun, locked)).await;
        self.settle(begun.and(locked)).map(drop)
    }

    /// It is open before it is answered: it may be given up until then. What was given up before is no part of it.
    const fn open_transaction(&mut self) {
        self.is_waiting = false;
        self.transaction = Transaction::Open;
    }

    /// Writes events to the outbox and commits, in one round trip. The lock of the outbox is taken here and nowhere
    /// else: last, so that it cannot deadlock with the locks of rows, and held until the commit is seen by all,
    /// so that positions follow the order of commits.
    ///
    /// # Errors
    /// [`StorageError::Lost`] when it is not known whether it happened.
    pub async fn commit(&mut self, events: &[Envelope]) -> Result<(), StorageError> {
        let append = match events {
            [] => None,
            _ => Some(self.prepared(dialect::APPEND).await?),
        };
        self.commit_with(append, events).await
    }

    /// Commits after appending events by a statement that takes their values and the key of the lock.
    pub(super) async fn commit_with(
        &mut self,
        append: Option<Statement>,
        events: &[Envelope],
    ) -> Result<(), StorageError> {
        if self.transaction != Transaction::Open || self.is_waiting {
            self.roll_back();
            let text = "a statement of the transaction failed or was given up, and with it the transaction";
            return Err(StorageError::Other(text.into()));
        }
        self.send();
        let lock = self.turns.outbox_lock;
        let rows: Vec<[Value<'_>; 7]> =
            events.iter().map(|event| dialect::append_values(event, lock)).collect();
        let client = &self.client;
        let appended =
            append.iter().flat_map(|append| rows.iter().map(move |row| client.execute_raw(append, row)));
        let work = join(join_all(appended), client.batch_execute("COMMIT"));
        let (appended, committed) = self.driver.drive(work).await;
        self.is_waiting = false;
        self.transaction = Transaction::None;
        self.is_spoiled |= committed.is_err();
        let refused = appended.into_iter().find_map(Result::err);
        match (refused, committed) {
            (None, Ok(())) => Ok(()),
            // The server has undone it, whatever it answered to the commit.
            (Some(error), Ok(())) if error.as_db_error().is_some() => Err(error.into()),
            // It never came to the server, which has committed without the event.
            (Some(error), Ok(())) => Err(StorageError::Lost(error.into())),
            (None, Err(error)) => Err(error::of_commit(error)),
            (Some(_), Err(error)) => Err(StorageError::Lost(error.into())),
        }
    }

    /// Ends a transaction that is still open, as if it had never begun: it is sent, and not waited for.
    pub fn roll_back(&mut self) {
        if std::mem::replace(&mut self.transaction, Transaction::None) == Transaction::None {
            return;
        }
        // Sent when it is polled first. Whatever comes next on this connection comes after it.
        let _ = self.client.batch_execute("ROLLBACK").now_or_never();
        self.driver.turn();
    }
}
