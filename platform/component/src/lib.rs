//! The seam between a service and its process: what it is given, and what it hands over.
//!
//! - [`service`]: a line of the catalogue: name, routes, topics, and how it opens.
//! - [`site`]: what a service is given when it opens: database, bus, other components, tasks.
//! - [`identity`]: tokens, checked at the door and made at log-in.
//! - [`digest`]: what a service keeps as one number, to compare topologies by.
//! - [`keyed`]: writes that take effect once, however often they are sent.
//! - [`web`]: the REST face: who asks, which page, which key, and refusals as JSON.
//!
//! Start with [`service::Service`]; a service's `lib.rs` exports one.

pub mod digest;
pub mod identity;
pub mod keyed;
pub mod service;
pub mod site;
pub mod web;

pub use digest::Digest;
pub use identity::Identity;
pub use keyed::KeyedWrite;
pub use service::{OpenError, Route, Service};
pub use site::Site;
