//! The seam between a service and its process: what it is given, and what it hands over.
//!
//! - [`service`]: a line of the catalogue: name, routes, topics, and how it opens.
//! - [`site`]: what a service is given when it opens: database, bus, other components, tasks.
//! - [`identity`]: tokens, checked at the door and made at log-in.
//! - [`web`]: the REST face: who asks, which page, which key, and refusals as JSON.
//!
//! Start with [`service::Service`]; a service's `lib.rs` exports one.

pub mod identity;
pub mod service;
pub mod site;
pub mod web;

pub use identity::Identity;
pub use service::{OpenError, Route, Service};
pub use site::Site;
