//! The public door: routing, balancing, admission, retries, drain. Forwards; does not parse bodies.
//!
//! - `proxy`: one request, from its first byte to its last. Start here.
//! - `visit`: what the door makes of a request's head.
//! - `upload`: a request's body, kept for another try or streamed.
//! - `admission`: who may come in.
//! - `callee`: a component behind the door: policy, breaker, budget; or a router in this process.
//! - [`config`], [`table`]: the routes as written, and as served; replaced whole, while serving.
//! - [`admin`]: the operator's side, on a port of its own.
//!
//! The door is raw hyper through [`transport::serve`]; axum serves the
//! operator's side only.

pub mod admin;
mod admission;
mod callee;
pub mod config;
mod gateway;
mod proxy;
pub mod table;
mod upload;
mod visit;

pub use callee::Upstream;
pub use config::{ConfigError, Route, RouteTable};
pub use gateway::{Gateway, Options};
