//! How far a consumer is in a publisher's events, kept in the consumer's database, and which of its copies goes on.

use runtime::clock;
use serde::{Deserialize, Serialize};

use crate::{Database, StorageError, Tx, query};

/// A copy that has not renewed for this long has lost its lease, microseconds.
pub(crate) const LEASE_US: i64 = 3_000_000;

/// A place in the events of a publisher's database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Names the database; empty where nothing was applied yet. In another database `seq` means something else.
    pub epoch: String,
    /// The last event up to which none is missing.
    pub seq: i64,
}

/// The position of one consumer in one source of events.
pub(crate) struct Inbox {
    db: Database,
    consumer: &'static str,
    source: &'static str,
    /// This copy, among those that share the database.
    holder: String,
}

impl Inbox {
    pub fn new(db: Database, consumer: &'static str, source: &'static str) -> Self {
        let holder = format!("{}-{}", std::process::id(), clock::mono_ns());
        Self { db, consumer, source, holder }
    }

    /// Up to where everything is applied.
    pub async fn position(&self) -> Result<Position, StorageError> {
        let mut read = self.db.read().await?;
        let select = query(
            "SELECT",
            "inbox_offset",
            "SELECT seq, epoch FROM inbox_offset WHERE consumer = $1 AND source = $2",
        )
        .bind(self.consumer)
        .bind(self.source);
        let (seq, epoch): (i64, String) = select.optional(&mut read).await?.unwrap_or_default();
        Ok(Position { epoch, seq })
    }

    /// Moves to a position, forwards or back.
    pub async fn set(&self, to: &Position) -> Result<(), StorageError> {
        let mut tx = self.db.write().await?;
        let upsert = query(
            "INSERT",
            "inbox_offset",
            "INSERT INTO inbox_offset (consumer, source, epoch, seq, holder, held_until_us)
             VALUES ($1, $2, $3, $4, $5, 0)
             ON CONFLICT (consumer, source) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
        )
        .bind(self.consumer)
        .bind(self.source)
        .bind(&to.epoch)
        .bind(to.seq)
        .bind(&self.holder);
        upsert.execute(tx.conn()).await?;
        tx.commit().await
    }

    /// Moves on to `seq` in a transaction; false when it is there already or beyond.
    pub async fn advance(&self, tx: &mut Tx, seq: i64) -> Result<bool, StorageError> {
        let update = query(
            "UPDATE",
            "inbox_offset",
            "UPDATE inbox_offset SET seq = $3 WHERE consumer = $1 AND source = $2 AND seq < $3",
        )
        .bind(self.consumer)
        .bind(self.source)
        .bind(seq);
        Ok(update.execute(tx.conn()).await? == 1)
    }

    /// Whether this copy is the one that goes on.
    pub async fn hold_lease(&self) -> Result<bool, StorageError> {
        let now = clock::wall_us();
        let mut tx = self.db.write().await?;
        let upsert = query(
            "INSERT",
            "inbox_offset",
            "INSERT INTO inbox_offset (consumer, source, epoch, seq, holder, held_until_us)
             VALUES ($1, $2, '', 0, $3, $4)
             ON CONFLICT (consumer, source) DO UPDATE SET holder = $3, held_until_us = $4
             WHERE inbox_offset.holder = $3 OR inbox_offset.held_until_us < $5",
        )
        .bind(self.consumer)
        .bind(self.source)
        .bind(&self.holder)
        .bind(now + LEASE_US)
        .bind(now);
        let held = upsert.execute(tx.conn()).await? == 1;
        tx.commit().await?;
        Ok(held)
    }
}
