//! A connection: statements, prepared once; a transaction that knows whether a statement of it failed.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use contract::Envelope;
use futures_util::future::{OptionFuture, join, join_all, join3};
use futures_util::{FutureExt, TryStreamExt};
use runtime::clock;
use tokio_postgres::{Client, Error, Statement};

use super::driver::Driver;
use super::error;
use super::statements::Statements;
use crate::value::{Row, RowOf};
use crate::{StorageError, Value, dialect};

/// Statements under way at once, where the same one is run for many rows: a round trip for all of them.
const PIPELINED: usize = 64;

/// So long after an answer a connection stands: looking costs as much as a twentieth of a point read, and what ends it
/// meanwhile may as well end it a moment later, in the midst of a statement.
const STANDS: Duration = Duration::from_millis(1);

/// Begins a transaction that writes beside others.
const CONCURRENT: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

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
    /// `BEGIN` is sent with its first statement.
    Announced,
    Open,
    /// A statement of it failed. The server undoes all of it, and answers a `COMMIT` as if it had not.
    Failed,
}

impl Transaction {
    /// Whether what is asked belongs to one that can be committed.
    const fn is_open(self) -> bool {
        matches!(self, Self::Announced | Self::Open)
    }

    /// What it is once a statement has failed.
    const fn failed(self) -> Self {
        if self.is_open() { Self::Failed } else { self }
    }
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
    /// When the last answer came.
    answered: Option<Instant>,
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
            answered: None,
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
        let answered_lately = self.answered.is_some_and(|answered| clock::now() - answered < STANDS);
        if self.is_waiting || !answered_lately {
            self.driver.turn();
        }
        self.is_whole()
    }

    /// A statement is about to be sent. Returns what has to be sent before it.
    ///
    /// # Errors
    /// Where its transaction has failed already: it may not have begun, and the statement would stand by itself.
    fn send(&mut self) -> Result<Option<&'static str>, StorageError> {
        self.wait();
        match self.transaction {
            Transaction::Failed => {
                self.is_waiting = false;
                Err(failed())
            }
            Transaction::Announced => {
                self.transaction = Transaction::Open;
                Ok(Some(CONCURRENT))
            }
            Transaction::None | Transaction::Open => Ok(None),
        }
    }

    /// An answer is about to be waited for.
    fn wait(&mut self) {
        // The last one was given up: its answer, which was not read, may be an error.
        if std::mem::replace(&mut self.is_waiting, true) {
            self.transaction = self.transaction.failed();
        }
    }

    /// It was answered.
    fn settle<T>(&mut self, result: Result<T, Error>) -> Result<T, StorageError> {
        self.is_waiting = false;
        self.answered = Some(clock::now());
        result.map_err(|error| {
            self.transaction = self.transaction.failed();
            self.is_spoiled |= error::spoils_connection(&error);
            error.into()
        })
    }

    /// A statement was answered, and what was sent before it.
    fn settle_both<T>(
        &mut self,
        (begun, done): (Result<(), Error>, Result<T, Error>),
    ) -> Result<T, StorageError> {
        let is_refused = begun.as_ref().is_err_and(|error| error.as_db_error().is_some());
        match self.settle(begun) {
            Ok(()) => self.settle(done),
            // There was no transaction that the statement could have been a part of: what it did, it did by itself.
            Err(error) if is_refused => Err(StorageError::Lost(error.into())),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn prepared(&mut self, sql: &str) -> Result<Statement, StorageError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement);
        }
        self.wait();
        let prepared = self.driver.drive(pin!(self.client.prepare(sql))).await;
        let statement = self.settle(prepared)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Runs one statement and counts the rows that changed.
    pub async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StorageError> {
        let statement = self.prepared(sql).await?;
        let first = self.send()?;
        let work = self.client.execute_raw(&statement, values);
        let changed = self.driver.drive(pin!(after(&self.client, first, pin!(work)))).await;
        self.settle_both(changed)
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
            let first = self.send()?;
            let sent: Vec<_> = lot.iter().map(|row| self.client.execute_raw(&statement, row)).collect();
            let sent = join_all(sent).map(|counts| counts.into_iter().collect::<Result<Vec<u64>, Error>>());
            let counts = self.driver.drive(pin!(after(&self.client, first, pin!(sent)))).await;
            changed += self.settle_both(counts)?.into_iter().sum::<u64>();
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
        let first = self.send()?;
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
        let outcome = self.driver.drive(pin!(after(client, first, pin!(read)))).await;
        self.settle_both(outcome)?
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
        let first = self.send()?;
        let work = self.client.batch_execute(sql);
        let done = self.driver.drive(pin!(after(&self.client, first, pin!(work)))).await;
        self.settle_both(done)
    }

    /// Begins a transaction, alone where that is asked for or where one writes at a time anyway: the isolation of the
    /// level below is then enough, since every statement sees what the writers before have committed. Writers that
    /// do not take turns are kept from lost updates and write skew by the highest level; what they see is settled by
    /// their first statement, so that the transaction may begin with it, in one round trip.
    pub async fn begin(&mut self, is_alone: bool) -> Result<(), StorageError> {
        const TAKING_TURNS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
        if !is_alone && !self.turns.is_one_at_a_time {
            self.open_transaction(Transaction::Announced);
            return Ok(());
        }
        let lock = self.prepared(dialect::LOCK).await?;
        self.open_transaction(Transaction::Open);
        self.wait();
        let begun = self.client.batch_execute(TAKING_TURNS);
        let locked = self.client.execute_raw(&lock, [self.turns.writer_lock]);
        let (begun, locked) = self.driver.drive(pin!(join(begun, locked))).await;
        self.settle(begun.and(locked)).map(drop)
    }

    /// It is open before it is answered: it may be given up until then. What was given up before is no part of it.
    const fn open_transaction(&mut self, transaction: Transaction) {
        self.is_waiting = false;
        self.transaction = transaction;
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
        if !self.transaction.is_open() || self.is_waiting {
            self.roll_back();
            return Err(failed());
        }
        if self.transaction == Transaction::Announced && events.is_empty() {
            // It has asked for nothing.
            self.transaction = Transaction::None;
            return Ok(());
        }
        let first = self.send()?;
        let lock = self.turns.outbox_lock;
        let rows: Vec<[Value<'_>; 7]> =
            events.iter().map(|event| dialect::append_values(event, lock)).collect();
        let client = &self.client;
        let appended =
            append.iter().flat_map(|append| rows.iter().map(move |row| client.execute_raw(append, row)));
        let begun = OptionFuture::from(first.map(|first| client.batch_execute(first)));
        let work = join3(begun, join_all(appended), client.batch_execute("COMMIT"));
        let (begun, appended, committed) = self.driver.drive(pin!(work)).await;
        self.is_waiting = false;
        self.transaction = Transaction::None;
        self.is_spoiled |= committed.is_err();
        if let Some(Err(error)) = begun {
            // Events of no transaction were kept, each by itself.
            return Err(StorageError::Lost(error.into()));
        }
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
        let transaction = std::mem::replace(&mut self.transaction, Transaction::None);
        if matches!(transaction, Transaction::None | Transaction::Announced) {
            return;
        }
        // Sent when it is polled first. Whatever comes next on this connection comes after it.
        let _ = self.client.batch_execute("ROLLBACK").now_or_never();
        self.driver.turn();
    }
}

/// Why a transaction goes no further.
fn failed() -> StorageError {
    StorageError::Other(
        "a statement of the transaction failed or was given up, and with it the transaction".into(),
    )
}

/// Does `work` after a statement, in one round trip. Returns what came of both.
async fn after<T>(
    client: &Client,
    first: Option<&str>,
    work: Pin<&mut impl Future<Output = Result<T, Error>>>,
) -> (Result<(), Error>, Result<T, Error>) {
    match first {
        // What is polled first is sent first.
        Some(first) => join(client.batch_execute(first), work).await,
        None => (Ok(()), work.await),
    }
}
