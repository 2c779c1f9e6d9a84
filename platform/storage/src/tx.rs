//! A write transaction.

use std::pin::pin;
use std::sync::Arc;

use contract::Envelope;
use tokio::sync::{Notify, oneshot};

use crate::StorageError;
use crate::connections::LentConnection;
use crate::engine::Connection;
use crate::statement::observed_async;

/// A write transaction. Dropped without a commit, it never happened.
pub struct Tx {
    /// One that writes: the turn of the next writer comes when it is back.
    writer: LentConnection,
    committed: Arc<Notify>,
    published: bool,
    /// What is done once it is durable.
    on_commit: Vec<Box<dyn FnOnce() + Send>>,
    /// Events that are written with the commit, where that has to be last.
    events: Vec<Envelope>,
}

impl Tx {
    /// Begins on a writer; `is_alone` where no other may write meanwhile, whatever the database allows.
    ///
    /// # Errors
    /// When another process holds the database for too long.
    pub(crate) async fn begin(
        mut writer: LentConnection,
        committed: Arc<Notify>,
        is_alone: bool,
    ) -> Result<Self, StorageError> {
        writer.begin(is_alone).await?;
        Ok(Self { writer, committed, published: false, on_commit: Vec::new(), events: Vec::new() })
    }

    /// The connection, for statements.
    pub fn conn(&mut self) -> &mut Connection {
        &mut self.writer
    }

    /// Does something once it is durable, and never if it does not become so.
    pub fn on_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.on_commit.push(Box::new(then));
    }

    /// An event was written: the commit wakes those that wait for events.
    pub(crate) const fn mark_published(&mut self) {
        self.published = true;
    }

    /// Keeps an event until the commit, which writes it.
    pub(crate) fn append_at_commit(&mut self, event: Envelope) {
        self.events.push(event);
    }

    /// Waits until all that it can see is durable: for an answer that another transaction's write stands for.
    ///
    /// # Errors
    /// [`StorageError::Lost`] when it is not known whether it is.
    pub(crate) async fn settled(&mut self) -> Result<(), StorageError> {
        let log = self.writer.log().cloned();
        match log {
            Some(log) => log.settled().await,
            None => Ok(()),
        }
    }

    /// Makes it all durable. Given up while it waits for the disk, it goes on all the same.
    ///
    /// # Errors
    /// [`StorageError::Lost`] when it is not known whether it happened.
    pub async fn commit(self) -> Result<(), StorageError> {
        let Self { writer, committed, published, on_commit, events } = self;
        let dialect = writer.dialect();
        let when_durable = move || {
            if published {
                committed.notify_waiters();
            }
            on_commit.into_iter().for_each(|then| then());
        };
        let commit = commit(writer, events, when_durable);
        observed_async(dialect, "COMMIT", "transaction", pin!(commit)).await
    }
}

/// Commits. Its writer goes along, so that the next turn comes after it, whether its caller waits or not.
async fn commit(
    mut writer: LentConnection,
    events: Vec<Envelope>,
    when_durable: impl FnOnce() + Send + 'static,
) -> Result<(), StorageError> {
    #[cfg(feature = "postgres")]
    if writer.dialect() == crate::Dialect::Postgres {
        let commit = async move {
            let result = writer.commit(&events).await;
            if result.is_ok() {
                when_durable();
            }
            result
        };
        return crate::postgres::Completion::of(commit).await;
    }
    debug_assert!(events.is_empty(), "SQLite's are written in place");
    let Some(log) = writer.log().cloned() else {
        let commit = move || {
            let result = writer.commit_in_place();
            if result.is_ok() {
                when_durable();
            }
            result
        };
        return runtime::blocking(commit).await;
    };
    let (reply, mut ending) = oneshot::channel();
    let committing = runtime::blocking(move || {
        log.begin();
        let committed = writer.commit_in_place();
        let leads = log.enqueue(move |synced| {
            let durable = || synced.clone().map_err(|error| StorageError::Lost(error.into()));
            let result = committed.and_then(|()| durable());
            if result.is_ok() {
                when_durable();
            }
            // Its caller may have given up.
            let _gone = reply.send(result);
        });
        // The next writer's turn: what is left to do is the disk's.
        drop(writer);
        if leads {
            log.lead();
        }
    });
    // One that leads may go on for others.
    let ended = tokio::select! {
        biased;
        ended = &mut ending => ended,
        () = committing => ending.await,
    };
    ended.unwrap_or_else(|_| Err(StorageError::Lost("the commit broke off".into())))
}
