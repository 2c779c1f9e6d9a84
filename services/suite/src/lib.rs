//! The catalogue: one line per service, and how a process is built for a placement.
//!
//! - [`catalogue`]: the services; adding one is adding its line.
//! - [`config`]: what a process is told when it starts.
//! - [`node`]: a process: its components, their databases, its doors, its end.
//! - [`control`]: what the lab may ask a node, with the run's token.
//! - [`outbox`]: events across processes, pulled over HTTP.
//! - [`load`]: tables filled in bulk from a history.
//! - [`alone`]: a node and the process around it.
//!
//! Start with [`node::Node::start`].

pub mod alone;
pub mod catalogue;
pub mod config;
pub mod control;
pub mod load;
pub mod node;
pub mod outbox;

pub use catalogue::{CATALOGUE, components};
pub use config::NodeConfig;
pub use node::{Node, NodeError};
