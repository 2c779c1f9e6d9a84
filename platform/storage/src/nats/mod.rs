//! NATS JetStream between outboxes and consumers: what is pulled over HTTP otherwise.
//!
//! The outbox stays the source of truth. A relay publishes its rows to a stream and goes on from the end of that stream,
//! so that it does not matter at which moment it is killed; rows go when the consumers have applied them, never because
//! the broker has acknowledged them, for what it acknowledged it may lose with the machine's power. A consumer keeps its
//! position in its own database, and reads in the outbox what the broker does not have: delivery is at least once, and the
//! effect exactly once, whatever becomes of the broker.
//!
//! - [`broker`]: a process's connection, and the streams, one for each publisher. Start here.
//! - `message`: an event as a message.
//! - [`relay`]: from an outbox to its stream.
//! - [`source`]: from a stream to a consumer.
//! - `progress`: how far consumers are, as they report it to publishers.

pub mod broker;
mod message;
mod progress;
pub mod relay;
pub mod source;

pub use broker::{Broker, BrokerError, BrokerOptions, check_version};
pub use relay::Relay;
pub use source::BrokerSource;
