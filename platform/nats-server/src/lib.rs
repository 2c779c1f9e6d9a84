//! NATS servers with JetStream that live no longer than who started them: found, configured and started, as children.
//!
//! - [`program`]: `nats-server`, on PATH or where a distribution puts it.
//! - [`server`]: a folder with a configuration, the command that serves it, and whether it accepts connections.
//! - [`scratch`]: a server for a test, which can be killed, paused and started again.
//!
//! Start with [`program::find`]. A server listens on loopback alone, and asks its clients for a token.

pub mod program;
pub mod scratch;
pub mod server;

pub use program::Missing;
pub use server::{Server, ServerError};
