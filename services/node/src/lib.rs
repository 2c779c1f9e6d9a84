//! A process: its components, their databases, its servers, its end. Knows no service by name.
//!
//! - [`config`]: the configuration of a process.
//! - [`contents`]: what it is made of: services, and perhaps the public door.
//! - [`node`](mod@node): opens them, serves them, closes them.
//! - `serving`: how its ports are served; `public_listener`: the public one, perhaps with a certificate. `secrets`: the admin token and
//!   the secret of users' tokens. [`control`]: control routes for the lab, with the run's token.
//! - [`outbox`]: events across processes, pulled over HTTP. `broker`: carried by one, with the feature `nats`.
//! - [`stores`]: its databases, one for all components or one for each.
//! - [`program`](mod@program): a node and the process around it; a service, the registry, the door or all
//!   of an application as its own program. `check` asks whether one is ready.
//!
//! Start with [`node::Node::start`].

mod broker;
pub mod config;
pub mod contents;
pub mod control;
pub mod databases;
mod fault_actuator;
pub mod node;
pub mod outbox;
pub mod program;
mod public_listener;
mod readiness;
mod secrets;
mod serving;
pub mod stores;

pub use config::NodeConfig;
pub use contents::{GatewayContext, GatewayFactory, NodeContents, PublicGateway, StoreContents};
pub use databases::database_path;
pub use node::{Node, NodeError};
pub use program::{program, run};
pub use public_listener::PublicError;
pub use secrets::SecretError;
