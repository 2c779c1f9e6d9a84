//! PostgreSQL servers that live no longer than who started them: found, made and started, as children.
//!
//! - [`programs`]: `initdb` and `postgres`, on PATH or where a distribution puts them.
//! - [`account`]: who runs them. PostgreSQL refuses root.
//! - [`cluster`]: a data folder with its settings, the command that serves it, and whether it answers.
//! - [`scratch`]: servers for tests, gone with them.
//!
//! Start with [`programs::Programs::find`]. Nothing here listens on a port: clients come by a Unix socket.

pub mod account;
pub mod cluster;
pub mod programs;
pub mod scratch;

pub use account::Account;
pub use cluster::{Cluster, ClusterError};
pub use programs::{Missing, Programs};
