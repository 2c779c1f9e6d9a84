//! A write transaction, and queries with their span, metric and cost.

use std::future::Future;
use std::sync::Arc;

use runtime::cost::{self, Part};
use runtime::{clock, scope};
use sqlx::Transaction;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tracing::Instrument;

use crate::StorageError;
use crate::engine::{Connection, Engine};

/// A write transaction. Dropped without a commit, it never happened.
pub struct Tx {
    /// Ended before the turn passes on: fields are dropped in this order.
    tx: Transaction<'static, Engine>,
    _writer_permit: OwnedSemaphorePermit,
    committed: Arc<Notify>,
    published: bool,
    /// What is done once it is durable.
    on_commit: Vec<Box<dyn FnOnce() + Send>>,
}

impl Tx {
    pub(crate) fn new(
        tx: Transaction<'static, Engine>,
        permit: OwnedSemaphorePermit,
        committed: Arc<Notify>,
    ) -> Self {
        Self { tx, _writer_permit: permit, committed, published: false, on_commit: Vec::new() }
    }

    /// The connection, for queries.
    pub fn conn(&mut self) -> &mut Connection {
        &mut self.tx
    }

    /// Does something once it is durable, and never if it does not become so.
    pub(crate) fn on_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.on_commit.push(Box::new(then));
    }

    /// An event was written: the commit wakes those that wait for events.
    pub(crate) const fn mark_published(&mut self) {
        self.published = true;
    }

    /// Makes it all durable.
    ///
    /// # Errors
    /// [`StorageError::Lost`] when it is not known whether it happened.
    pub async fn commit(self) -> Result<(), StorageError> {
        let Self { tx, _writer_permit, committed, published, on_commit } = self;
        let commit = async { tx.commit().await };
        let result = query("COMMIT", "transaction", commit).await;
        if published && result.is_ok() {
            committed.notify_waiters();
        }
        if result.is_ok() {
            on_commit.into_iter().for_each(|then| then());
        }
        result.map_err(|error| match error {
            StorageError::Busy(source) | StorageError::Other(source) => StorageError::Lost(source),
            known => known,
        })
    }
}

/// Runs a database operation under its span, metric and cost.
///
/// # Errors
/// As the operation does, as a [`StorageError`].
pub async fn query<T>(
    operation: &'static str,
    table: &'static str,
    run: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StorageError> {
    let began = clock::now();
    let span = telemetry::db_span(operation, table);
    let result = cost::part(Part::Database, run.instrument(span)).await;
    telemetry::db_operation(
        scope::component(),
        operation,
        table,
        clock::now().saturating_duration_since(began),
    );
    Ok(result?)
}
