//! The public entry: routing, balancing, admission, retries, drain. Forwards; does not parse bodies.
//!
//! - `proxy`: one request, from its first byte to its last. Start here.
//! - `request_context`: what the gateway makes of a request's head.
//! - `request_count`: what metrics and traces have of it. `failure_source`: whose doing its failure is.
//! - `request_body`: a request's body, taken whole before anything works for it.
//! - `clients`: how many requests of one client are served and wait, and what its failures cost it.
//! - `api_keys`: which programs may use a route that asks for a key.
//! - `admission_queue`: how many requests are served, wait, and are refused in all.
//! - `backend`: a component behind the gateway: the stack of its edge, or a router in this process.
//! - `exchange`: a request as that stack sees it: what can be sent again, what counts as failed.
//! - `mirror`: copies of reads, which nothing waits for.
//! - `response_cache`: answers that are given again, with the feature `response-cache`.
//! - [`config`], [`table`]: the routes as written, and as served; replaced whole, while serving.
//! - [`admin`]: the operator's side, on a port of its own.
//!
//! The public port is raw hyper through [`transport::serve`]; axum serves the
//! operator's side only.

pub mod admin;
mod admission_queue;
mod api_keys;
mod backend;
mod clients;
pub mod config;
mod exchange;
mod failure_source;
mod gateway;
mod mirror;
mod proxy;
mod request_body;
mod request_context;
mod request_count;
#[cfg(feature = "response-cache")]
mod response_cache;
pub mod table;

pub use backend::Upstream;
pub use config::{ConfigError, Route, RouteTable};
pub use gateway::{Authorize, Gateway, Options};
#[cfg(feature = "response-cache")]
pub use response_cache::{CacheOptions, CacheStats};
