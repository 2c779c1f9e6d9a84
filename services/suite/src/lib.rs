//! The catalogue: one line per service, and what a process is made of for a placement.
//!
//! - [`catalogue`]: the services; adding one is adding its line.
//! - [`contents`]: what a process of a placement is made of.
//! - [`door`]: the gateway, with the routes of all of them, as a node's public door.
//! - [`load`](mod@load): tables filled in bulk from a history.
//!
//! Start with [`catalogue::CATALOGUE`]; [`run`] is a whole process.

use std::process::ExitCode;

use node::NodeConfig;

pub mod catalogue;
pub mod contents;
pub mod door;
pub mod load;

pub use catalogue::{CATALOGUE, calls, components, event_sources, tables};

/// Runs the process of a configuration until it is asked to leave; see [`node::run`].
pub fn run(config: NodeConfig, lifeline: bool) -> ExitCode {
    let parts = contents::parts(&config.process);
    node::run(config, parts, lifeline)
}
