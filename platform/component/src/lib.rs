//! The seam between a service and its process: what it is given, and what it hands over.
//!
//! - [`service`]: a line of the catalogue: name, routes, topics, and how it opens.
//! - [`service_context`]: what a service is given when it opens: database, bus, other components, tasks.
//! - [`identity`]: tokens, checked at the door and made at log-in.
//! - [`digest`]: what a service keeps as one number, to compare topologies by.
//! - [`idempotent_write`]: writes that take effect once, however often they are sent.
//! - [`operation`]: what a route takes and answers; [`openapi`]: that of all routes, as one document.
//! - [`web`]: the REST face: callers, pages, idempotency keys, and refusals as JSON.
//!
//! Start with [`service::Service`]; a service's `lib.rs` exports one.

pub mod digest;
pub mod idempotent_write;
pub mod identity;
pub mod openapi;
pub mod operation;
pub mod service;
pub mod service_context;
pub mod web;

pub use digest::Digest;
pub use idempotent_write::IdempotentWrite;
pub use identity::Identity;
pub use operation::Parameter;
pub use service::{OpenError, Route, Service};
pub use service_context::ServiceContext;
