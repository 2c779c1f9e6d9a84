//! PostgreSQL (<https://www.postgresql.org>), version 13 or later: the store that a server keeps.
//!
//! - [`address`]: which database of which server, and which schema in it.
//! - [`admin`]: databases, made and dropped. [`session`]: an operator's: locks of tables, and what waits for them.
//! - [`connection`]: statements, prepared once; a transaction that knows whether a statement of it failed.
//! - [`opener`]: how connections are opened: limits of time, what a commit survives, who writes at a time.
//! - [`driver`]: the two halves of the client's connection, polled by the task that asks.
//! - [`completion`]: commits go on to their end, also where their caller gives up.
//! - [`statements`]: what is prepared on a connection.
//! - [`value`]: values that go in; [`column`]: those that come out. [`error`]: SQLSTATE to the kinds of [`crate::StorageError`].
//!
//! There is no TLS: a server on another machine is reached through a tunnel, or not at all.

mod address;
mod admin;
pub(crate) mod column;
mod completion;
mod connection;
mod driver;
mod error;
mod opener;
#[cfg(test)]
mod order_tests;
mod session;
mod statements;
mod value;

pub use address::{Address, AddressError, ServerEndpoint, socket_in};
pub use admin::{comment_on_database, create_database, drop_database};
pub(crate) use completion::Completion;
pub(crate) use connection::Connection;
pub use opener::check_version;
pub(crate) use opener::{Access, Opener};
pub use session::{LockWait, Session};
