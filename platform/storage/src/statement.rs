//! One statement: its text and values, run under its span, metric and cost.
//!
//! Text is in the portable subset, with placeholders `$1`, `$2`, ... On SQLite the short ones run on the thread that asks;
//! [`Statement::fold`] reads a table of any size, there on a thread that may block. There one that goes on when its caller's
//! deadline has passed is ended, as [`StorageError::DeadlineExceeded`].

use std::borrow::Cow;
use std::fmt::Write;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use runtime::cost::{self, Part};
use runtime::{clock, scope};
use tracing::{Instrument, Span};

use crate::engine::{Connection, Dialect, Product};
use crate::value::{FromRow, Row, RowOf, Value};
use crate::{StorageError, sqlite};

/// A statement that takes longer on the thread of its caller is counted: others wait for that thread.
const SLOW: Duration = Duration::from_millis(1);

/// A statement to run.
#[must_use = "it is run by `execute`, `one`, `optional`, `all`, `exists` or `fold`"]
#[derive(Clone, Debug)]
pub struct Statement<'v> {
    operation: &'static str,
    table: &'static str,
    sql: Cow<'static, str>,
    values: Vec<Value<'v>>,
}

/// A statement; `operation` and `table` name it in spans and metrics.
pub fn query<'v>(operation: &'static str, table: &'static str, sql: &'static str) -> Statement<'v> {
    Statement { operation, table, sql: sql.into(), values: Vec::new() }
}

impl<'v> Statement<'v> {
    /// The value of the next placeholder: the first of `$1`, the second of `$2`.
    pub fn bind(mut self, value: impl Into<Value<'v>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// More text.
    pub fn push(mut self, sql: &'static str) -> Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// A placeholder with its value, at the end of the text.
    pub fn push_value(mut self, value: impl Into<Value<'v>>) -> Self {
        self.values.push(value.into());
        // Writing to a string does not fail.
        let _ = write!(self.sql.to_mut(), "${}", self.values.len());
        self
    }

    /// A list of placeholders with their values, in brackets, at the end of the text. It is padded to a power of two with
    /// its last value, so that a dozen statements serve every length and stay prepared. An empty list holds NULL, which
    /// equals nothing: PostgreSQL takes no empty brackets.
    pub fn push_list<V: Into<Value<'v>> + Clone>(
        mut self,
        values: impl ExactSizeIterator<Item = V> + Clone,
    ) -> Self {
        let padded = values.len().next_power_of_two();
        let last = values.clone().last();
        let mut separator = "(";
        for value in values.chain(last.into_iter().cycle()).take(padded) {
            self = self.push(separator).push_value(value);
            separator = ", ";
        }
        self.push(if separator == "(" { "(NULL)" } else { ")" })
    }

    /// Runs it and counts the rows that changed.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn execute(self, conn: &mut Connection) -> Result<u64, StorageError> {
        match &mut conn.0 {
            Product::Sqlite(sqlite) => self.run(sqlite, |statement| Ok(statement.raw_execute()? as u64)),
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => {
                let Self { operation, table, sql, values } = self;
                let work = postgres.execute(&sql, &values);
                observed_async(Dialect::Postgres, operation, table, pin!(work)).await
            }
        }
    }

    /// Runs it once for each row of values, and counts the rows that changed.
    ///
    /// # Errors
    /// When the database refuses one. On SQLite those before it were run; on PostgreSQL the transaction they belong to can no
    /// longer be committed.
    pub async fn execute_each<const N: usize>(
        self,
        conn: &mut Connection,
        rows: impl IntoIterator<Item = [Value<'v>; N]>,
    ) -> Result<u64, StorageError> {
        let Self { operation, table, sql, .. } = self;
        match &mut conn.0 {
            Product::Sqlite(sqlite) => observed(operation, table, || {
                sqlite.until(scope::deadline(), |sqlite| sqlite.run_each(&sql, rows))
            }),
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => {
                // Not the iterator: what goes on over waits may be on any thread, and closures borrow.
                let rows: Vec<[Value<'v>; N]> = rows.into_iter().collect();
                let work = postgres.execute_each(&sql, &rows);
                observed_async(Dialect::Postgres, operation, table, pin!(work)).await
            }
        }
    }

    /// The first row.
    ///
    /// # Errors
    /// When the database refuses, or there is none.
    pub async fn one<T: FromRow>(self, conn: &mut Connection) -> Result<T, StorageError> {
        self.optional(conn).await?.ok_or_else(|| StorageError::Other("it found no row".into()))
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn optional<T: FromRow>(self, conn: &mut Connection) -> Result<Option<T>, StorageError> {
        match &mut conn.0 {
            Product::Sqlite(sqlite) => self.run(sqlite, |statement| {
                let mut rows = statement.raw_query();
                rows.next()?.map(|row| T::from_row(Row(RowOf::Sqlite(row)))).transpose()
            }),
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => {
                let mut first = None;
                let keep = |row: Row<'_>| {
                    if first.is_none() {
                        first = Some(T::from_row(row)?);
                    }
                    Ok(())
                };
                self.read(postgres, keep).await?;
                Ok(first)
            }
        }
    }

    /// Whether there is a row.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn exists(self, conn: &mut Connection) -> Result<bool, StorageError> {
        match &mut conn.0 {
            Product::Sqlite(sqlite) => {
                self.run(sqlite, |statement| Ok(statement.raw_query().next()?.is_some()))
            }
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => {
                let mut exists = false;
                let found = |_: Row<'_>| {
                    exists = true;
                    Ok(())
                };
                self.read(postgres, found).await?;
                Ok(exists)
            }
        }
    }

    /// All rows. What it may be of is bounded by the text: a limit, or a list of keys.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn all<T: FromRow>(self, conn: &mut Connection) -> Result<Vec<T>, StorageError> {
        let mut all = Vec::new();
        match &mut conn.0 {
            Product::Sqlite(sqlite) => self.run(sqlite, |statement| {
                let mut rows = statement.raw_query();
                while let Some(row) = rows.next()? {
                    all.push(T::from_row(Row(RowOf::Sqlite(row)))?);
                }
                Ok(())
            })?,
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => {
                let keep = |row: Row<'_>| {
                    all.push(T::from_row(row)?);
                    Ok(())
                };
                self.read(postgres, keep).await?;
            }
        }
        Ok(all)
    }

    /// Hands every row to `step`, on a thread that may block where the database is read in place, and returns what they
    /// made of `start`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn fold<T: FromRow, A: Send + 'static>(
        self,
        conn: &mut Connection,
        start: A,
        mut step: impl FnMut(&mut A, T) + Send + 'static,
    ) -> Result<A, StorageError> {
        match &mut conn.0 {
            Product::Sqlite(sqlite) => {
                let Self { operation, table, sql, values } = self;
                let values: Vec<Value<'static>> = values.into_iter().map(Value::into_owned).collect();
                let deadline = scope::deadline();
                let scan = sqlite.off_thread(move |connection| {
                    let fold = |statement: &mut rusqlite::Statement<'_>| {
                        let mut folded = start;
                        let mut rows = statement.raw_query();
                        while let Some(row) = rows.next()? {
                            step(&mut folded, T::from_row(Row(RowOf::Sqlite(row)))?);
                        }
                        Ok(folded)
                    };
                    connection.until(deadline, |connection| connection.run(&sql, &values, fold))
                });
                observed_async(Dialect::Sqlite, operation, table, pin!(scan)).await
            }
            #[cfg(feature = "postgres")]
            Product::Postgres(postgres) => {
                let mut folded = start;
                let fold = |row: Row<'_>| {
                    step(&mut folded, T::from_row(row)?);
                    Ok(())
                };
                let Self { operation, table, sql, values } = self;
                let work = postgres.scan(&sql, &values, fold);
                observed_async(Dialect::Postgres, operation, table, pin!(work)).await?;
                Ok(folded)
            }
        }
    }

    #[cfg(feature = "postgres")]
    async fn read(
        self,
        postgres: &mut crate::postgres::Connection,
        each: impl FnMut(Row<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let Self { operation, table, sql, values } = self;
        let work = postgres.rows(&sql, &values, each);
        observed_async(Dialect::Postgres, operation, table, pin!(work)).await
    }

    fn run<T>(
        self,
        sqlite: &mut sqlite::Connection,
        work: impl FnOnce(&mut rusqlite::Statement<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let Self { operation, table, sql, values } = self;
        observed(operation, table, || {
            sqlite.until(scope::deadline(), |sqlite| sqlite.run(&sql, &values, work))
        })
    }
}

/// Runs an operation of SQLite here and now, under its span, metric and cost.
fn observed<T>(operation: &'static str, table: &'static str, work: impl FnOnce() -> T) -> T {
    let operation = Operation::begin(Dialect::Sqlite, operation, table);
    let result = operation.span.in_scope(|| cost::run(Part::Database, work));
    operation.end(true);
    result
}

/// The same of one that another thread or a server runs. It is pinned by the caller: each function that it is handed to by value
/// would hold it twice and move it.
pub(crate) async fn observed_async<T>(
    dialect: Dialect,
    operation: &'static str,
    table: &'static str,
    work: Pin<&mut impl Future<Output = T>>,
) -> T {
    let operation = Operation::begin(dialect, operation, table);
    let result = cost::part(Part::Database, work.instrument(operation.span.clone())).await;
    operation.end(false);
    result
}

/// An operation of the database that goes on.
struct Operation {
    dialect: Dialect,
    operation: &'static str,
    table: &'static str,
    span: Span,
    began: Instant,
}

impl Operation {
    fn begin(dialect: Dialect, operation: &'static str, table: &'static str) -> Self {
        let span = telemetry::db_span(dialect.name(), operation, table);
        Self { dialect, operation, table, span, began: clock::now() }
    }

    fn end(self, is_in_place: bool) {
        let took = clock::now().saturating_duration_since(self.began);
        telemetry::db_operation(scope::component(), self.dialect.name(), self.operation, self.table, took);
        if is_in_place && took > SLOW {
            telemetry::slow_statement(scope::component(), self.operation, self.table);
        }
    }
}
