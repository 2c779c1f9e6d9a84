//! Databases, transactions, migrations and the transactional outbox.
//!
//! - [`database`]: one database, one fair writer, a few readers. [`location`]: where it is;
//!   [`options`]: how it is opened.
//! - [`tx`]: a write transaction. [`statement`]: one statement with its values, run under its span, metric and cost;
//!   [`value`]: what goes in and comes out.
//! - [`connections`]: those that write, a few that read. [`engine`]: the seam between database products, SQLite in
//!   `sqlite`, and PostgreSQL in `postgres` with the feature of that name; `dialect`: the statements that differ.
//! - `log_sync`: commits to a SQLite file that wait for the disk share a sync of its log.
//! - [`migrate`]: tables, each component's own.
//! - [`idempotency`]: writes that take effect once, however often they are sent.
//! - [`bus`]: events: subscribers within the transaction, the outbox for the rest.
//! - [`subscriber`]: what a component does when it hears of an event, and what it calls others for first.
//! - [`outbox`]: events kept for other databases, pulled in order, trimmed when all have applied them.
//! - [`consumer`]: events from another database: delivered at least once, applied exactly once. [`inbox`]: how far one is.
//! - [`source`]: where a consumer's events come from. With the feature of that name `nats`: a broker, the relay that fills
//!   it from an outbox, and the source that reads it.
//! - [`blobs`]: bytes too large for rows; [`blob_reader`]: read as they are sent.
//! - [`snapshot`]: seeded data, copied before every run.
//! - `folder`: where all of it lies, for the user of the process alone.
//! - [`error`]: storage errors, and the refusals they become.
//!
//! Start with [`database::Database`].

pub mod blob_reader;
pub mod blobs;
pub mod bus;
pub mod connections;
pub mod consumer;
pub mod database;
mod dialect;
pub mod engine;
pub mod error;
mod fault;
mod folder;
pub mod idempotency;
pub mod inbox;
pub mod location;
mod log_sync;
pub mod migrate;
#[cfg(feature = "nats")]
pub mod nats;
pub mod options;
pub mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
mod schema;
pub mod snapshot;
pub mod source;
mod sqlite;
pub mod statement;
pub mod subscriber;
pub mod tx;
pub mod value;

pub use blob_reader::BlobReader;
pub use blobs::Blobs;
pub use bus::{Bus, Publication};
pub use connections::ReadConnection;
pub use consumer::Consumer;
pub use database::Database;
pub use engine::{Connection, Dialect};
pub use error::{Cause, StorageError};
pub use fault::{FaultInjector, StorageFaults};
pub use inbox::Position;
pub use location::Location;
pub use migrate::Migration;
pub use options::{Options, Synchronous};
pub use outbox::{Batch, OutboundTopics, Outbox};
pub use source::{LocalSource, Source};
pub use statement::{Statement, query};
pub use subscriber::{Effect, GatheringSubscriber, Subscriber};
pub use tx::Tx;
pub use value::{Column, FromRow, Value};
