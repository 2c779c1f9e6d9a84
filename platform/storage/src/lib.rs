//! Databases, transactions, migrations and the transactional outbox.
//!
//! - [`database`]: one file, one fair writer, a few readers.
//! - [`tx`]: a write transaction. [`statement`]: one statement with its values, run under its span, metric and cost;
//!   [`value`]: what goes in and comes out.
//! - [`connections`]: one that writes, a few that read. [`engine`]: the database product.
//! - [`migrate`]: tables, each component's own.
//! - [`idempotency`]: writes that take effect once, however often they are sent.
//! - [`bus`]: events: subscribers within the transaction, the outbox for the rest.
//! - [`subscriber`]: what a component does when it hears of an event, and what it calls others for first.
//! - [`outbox`]: events kept for other databases, pulled in order, trimmed when all have applied them.
//! - [`consumer`]: events from another database: delivered at least once, applied exactly once.
//! - [`blobs`]: bytes too large for rows; [`blob_reader`]: read as they are sent.
//! - [`snapshot`]: seeded data, copied before every run.
//! - [`error`]: storage errors, and the refusals they become.
//!
//! Start with [`database::Database`]. SQLite is in `engine`, `value` and `error`, and nowhere else.

pub mod blob_reader;
pub mod blobs;
pub mod bus;
pub mod connections;
pub mod consumer;
pub mod database;
pub mod engine;
pub mod error;
mod fault;
pub mod idempotency;
pub mod migrate;
pub mod outbox;
mod schema;
pub mod snapshot;
pub mod statement;
pub mod subscriber;
pub mod tx;
pub mod value;

pub use blob_reader::BlobReader;
pub use blobs::Blobs;
pub use bus::{Bus, Publication};
pub use connections::ReadConnection;
pub use consumer::Consumer;
pub use database::{Database, Options, Synchronous};
pub use engine::Connection;
pub use error::{Cause, StorageError};
pub use fault::{FaultInjector, StorageFaults};
pub use migrate::Migration;
pub use outbox::{Batch, LocalSource, OutboundTopics, Outbox, Source};
pub use statement::{Statement, query};
pub use subscriber::{Effect, GatheringSubscriber, Subscriber};
pub use tx::Tx;
pub use value::{Column, FromRow, Value};
