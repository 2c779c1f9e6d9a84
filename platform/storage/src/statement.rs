//! One statement: its text and values, run under its span, metric and cost.
//!
//! Text is in the portable subset, with placeholders `$1`, `$2`, ... The short ones run on the thread that asks;
//! [`Statement::fold`] reads a table of any size, on a thread that may block.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::{Duration, Instant};

use runtime::cost::{self, Part};
use runtime::{clock, scope};
use tracing::{Instrument, Span};

use crate::StorageError;
use crate::engine::Connection;
use crate::value::{FromRow, Row, Value};

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
    /// its last value, so that a dozen statements serve every length and stay prepared.
    pub fn push_list(mut self, values: impl ExactSizeIterator<Item = i64> + Clone) -> Self {
        let padded = values.len().next_power_of_two();
        let last = values.clone().last();
        let mut separator = "(";
        for value in values.chain(last.into_iter().cycle()).take(padded) {
            self = self.push(separator).push_value(value);
            separator = ", ";
        }
        self.push(if separator == "(" { "()" } else { ")" })
    }

    /// Runs it and counts the rows that changed.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn execute(self, conn: &mut Connection) -> Result<u64, StorageError> {
        let run = |statement: &mut rusqlite::Statement<'_>| statement.raw_execute();
        self.run(conn, run).map(|changed| changed as u64)
    }

    /// Runs it once for each row of values, and counts the rows that changed.
    ///
    /// # Errors
    /// When the database refuses one; those before it were run.
    pub async fn execute_each<const N: usize>(
        self,
        conn: &mut Connection,
        rows: impl IntoIterator<Item = [Value<'v>; N]>,
    ) -> Result<u64, StorageError> {
        let Self { operation, table, sql, .. } = self;
        observed(operation, table, || conn.run_each(&sql, rows))
    }

    /// The first row.
    ///
    /// # Errors
    /// When the database refuses, or there is none.
    pub async fn one<T: FromRow>(self, conn: &mut Connection) -> Result<T, StorageError> {
        self.optional(conn)
            .await?
            .ok_or_else(|| StorageError::Other(rusqlite::Error::QueryReturnedNoRows.into()))
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn optional<T: FromRow>(self, conn: &mut Connection) -> Result<Option<T>, StorageError> {
        self.run(conn, |statement| {
            let mut rows = statement.raw_query();
            rows.next()?.map(|row| T::from_row(Row(row))).transpose()
        })
    }

    /// Whether there is a row.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn exists(self, conn: &mut Connection) -> Result<bool, StorageError> {
        self.run(conn, |statement| Ok(statement.raw_query().next()?.is_some()))
    }

    /// All rows. What it may be of is bounded by the text: a limit, or a list of keys.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn all<T: FromRow>(self, conn: &mut Connection) -> Result<Vec<T>, StorageError> {
        self.run(conn, |statement| {
            let mut found = Vec::new();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                found.push(T::from_row(Row(row))?);
            }
            Ok(found)
        })
    }

    /// Hands every row to `step`, on a thread that may block, and returns what they made of `start`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn fold<T: FromRow, A: Send + 'static>(
        self,
        conn: &mut Connection,
        start: A,
        mut step: impl FnMut(&mut A, T) + Send + 'static,
    ) -> Result<A, StorageError> {
        let Self { operation, table, sql, values } = self;
        let values: Vec<Value<'static>> = values.into_iter().map(Value::into_owned).collect();
        let scan = conn.off_thread(move |connection| {
            connection.run(&sql, &values, |statement| {
                let mut folded = start;
                let mut rows = statement.raw_query();
                while let Some(row) = rows.next()? {
                    step(&mut folded, T::from_row(Row(row))?);
                }
                Ok(folded)
            })
        });
        observed_off_thread(operation, table, scan).await
    }

    fn run<T>(
        self,
        conn: &mut Connection,
        work: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StorageError> {
        let Self { operation, table, sql, values } = self;
        observed(operation, table, || conn.run(&sql, &values, work))
    }
}

/// Runs an operation of the database here and now, under its span, metric and cost.
fn observed<T>(operation: &'static str, table: &'static str, work: impl FnOnce() -> T) -> T {
    let operation = Operation::begin(operation, table);
    let result = operation.span.in_scope(|| cost::run(Part::Database, work));
    operation.end(true);
    result
}

/// The same of one that another thread runs.
pub(crate) async fn observed_off_thread<T>(
    operation: &'static str,
    table: &'static str,
    work: impl Future<Output = T>,
) -> T {
    let operation = Operation::begin(operation, table);
    let result = cost::part(Part::Database, work.instrument(operation.span.clone())).await;
    operation.end(false);
    result
}

/// An operation of the database that goes on.
struct Operation {
    operation: &'static str,
    table: &'static str,
    span: Span,
    began: Instant,
}

impl Operation {
    fn begin(operation: &'static str, table: &'static str) -> Self {
        Self { operation, table, span: telemetry::db_span(operation, table), began: clock::now() }
    }

    fn end(self, is_in_place: bool) {
        let took = clock::now().saturating_duration_since(self.began);
        telemetry::db_operation(scope::component(), self.operation, self.table, took);
        if is_in_place && took > SLOW {
            telemetry::slow_statement(scope::component(), self.operation, self.table);
        }
    }
}
