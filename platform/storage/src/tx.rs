//! A write transaction.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::StorageError;
use crate::connections::Lent;
use crate::engine::Connection;
use crate::statement::observed_off_thread;

/// A write transaction. Dropped without a commit, it never happened.
pub struct Tx {
    /// The one that writes: the turn of the next writer comes when it is back.
    writer: Lent,
    committed: Arc<Notify>,
    published: bool,
    /// What is done once it is durable.
    on_commit: Vec<Box<dyn FnOnce() + Send>>,
}

impl Tx {
    /// Begins on the writer.
    ///
    /// # Errors
    /// When another process holds the file for too long.
    pub(crate) async fn begin(mut writer: Lent, committed: Arc<Notify>) -> Result<Self, StorageError> {
        writer.begin().await?;
        Ok(Self { writer, committed, published: false, on_commit: Vec::new() })
    }

    /// The connection, for statements.
    pub fn conn(&mut self) -> &mut Connection {
        &mut self.writer
    }

    /// Does something once it is durable, and never if it does not become so.
    pub(crate) fn on_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.on_commit.push(Box::new(then));
    }

    /// An event was written: the commit wakes those that wait for events.
    pub(crate) const fn mark_published(&mut self) {
        self.published = true;
    }

    /// Makes it all durable. Given up while it waits for the disk, it goes on all the same.
    ///
    /// # Errors
    /// [`StorageError::Lost`] when it is not known whether it happened.
    pub async fn commit(self) -> Result<(), StorageError> {
        let Self { mut writer, committed, published, on_commit } = self;
        // Its writer goes along, so that the next turn comes after it, whether its caller waits or not.
        let commit = runtime::blocking(move || {
            let result = writer.run("COMMIT", &[], |statement| statement.raw_execute());
            if published && result.is_ok() {
                committed.notify_waiters();
            }
            if result.is_ok() {
                on_commit.into_iter().for_each(|then| then());
            }
            result
        });
        observed_off_thread("COMMIT", "transaction", commit).await.map(drop).map_err(|error| match error {
            StorageError::Busy(source) | StorageError::Other(source) => StorageError::Lost(source),
            known => known,
        })
    }
}
