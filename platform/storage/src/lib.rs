//! Databases, transactions, migrations and the transactional outbox.
//!
//! - [`database`]: one file, one fair writer, a few readers.
//! - [`tx`]: a write transaction, and queries with their span, metric and cost.
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
//! Start with [`database::Database`]. SQLite is behind the aliases of [`engine`].

pub mod blob_reader;
pub mod blobs;
pub mod bus;
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
pub mod subscriber;
pub mod tx;

pub use blob_reader::BlobReader;
pub use blobs::Blobs;
pub use bus::{Bus, Publication};
pub use consumer::Consumer;
pub use database::{Database, Options, Synchronous};
pub use engine::{Connection, Engine, Pool, ReadConnection};
pub use error::StorageError;
pub use fault::{FaultInjector, StorageFaults};
pub use migrate::Migration;
pub use outbox::{Batch, LocalSource, OutboundTopics, Outbox, Source};
pub use subscriber::{Effect, GatheringSubscriber, Subscriber};
pub use tx::{Tx, query};
