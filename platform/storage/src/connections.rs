//! The connections of a database: those that write, a few that read, each lent to one user at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::StorageError;
use crate::engine::{Connection, Opener};

/// Connections of one kind that are lent out, at most so many at a time.
pub(crate) struct Connections {
    opener: Opener,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    most: u32,
    /// How long to wait for one before giving up; `None` waits without limit.
    patience: Option<Duration>,
}

impl Connections {
    /// None of them is opened yet.
    pub fn new(opener: Opener, most: u32, patience: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            opener,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(most as usize)),
            most,
            patience,
        })
    }

    /// How many there are at most.
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// One of them, when it is this caller's turn. First come, first served.
    ///
    /// # Errors
    /// When none gets free in time, or all were closed.
    pub async fn lend(self: &Arc<Self>) -> Result<LentConnection, StorageError> {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        let connection = match self.idle() {
            Some(connection) => connection,
            None => self.opener.open().await?,
        };
        Ok(LentConnection { connection: Some(connection), all: self.clone(), _permit: permit })
    }

    /// The one that came back last and still stands: it is the most likely to be warm.
    fn idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if connection.still_stands() {
                return Some(connection);
            }
        }
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, StorageError> {
        let turn = self.permits.clone().acquire_owned();
        let turn = match self.patience {
            None => Ok(turn.await),
            Some(patience) => tokio::time::timeout(patience, turn).await,
        };
        let closed = |_| StorageError::Other("the database is closed".into());
        turn.map_err(|_| StorageError::Busy("no connection got free".into()))?.map_err(closed)
    }

    /// Closes all, when none is lent any more; there are none afterwards.
    pub async fn close(&self) {
        // Closed before, it gives none.
        if let Ok(all) = self.permits.acquire_many(self.most).await {
            self.permits.close();
            drop(all);
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection on loan. Its fields end in this order: it is back before another may have it.
pub(crate) struct LentConnection {
    connection: Option<Connection>,
    all: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for LentConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("until it is dropped")
    }
}

impl DerefMut for LentConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("until it is dropped")
    }
}

impl Drop for LentConnection {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        connection.roll_back();
        if connection.is_whole() {
            self.all.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// A reading connection on loan.
pub struct ReadConnection(pub(crate) LentConnection);

impl Deref for ReadConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}
