//! The statements that PostgreSQL has in another form, or alone.

#[cfg(feature = "postgres")]
use contract::Envelope;

use crate::engine::Dialect;
use crate::schema::Migration;
#[cfg(feature = "postgres")]
use crate::value::Value;

/// Waits for an advisory lock that lasts until the end of the transaction.
#[cfg(feature = "postgres")]
pub(crate) const LOCK: &str = "SELECT pg_advisory_xact_lock($1)";

/// Appends an event to the outbox under the lock that the last placeholder names. The position is drawn after the lock is
/// held, since it is drawn for a row that comes out of it.
#[cfg(feature = "postgres")]
pub(crate) const APPEND: &str = "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock($7) AS lock)
     INSERT INTO outbox (id, topic, key, payload, traceparent, created_us)
     SELECT $1, $2, $3, $4, $5, $6 FROM held
     ON CONFLICT (id) DO NOTHING";

/// The values of [`APPEND`].
#[cfg(feature = "postgres")]
pub(crate) fn append_values(event: &Envelope, lock: i64) -> [Value<'_>; 7] {
    [
        (&event.id).into(),
        (&*event.topic).into(),
        event.key.cast_signed().into(),
        (&event.payload).into(),
        (&event.traceparent).into(),
        event.created_us.into(),
        lock.into(),
    ]
}

impl Migration {
    /// Its statements for a product.
    pub(crate) fn statements(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sql,
            Dialect::Postgres => self.postgres.unwrap_or(self.sql),
        }
    }
}
