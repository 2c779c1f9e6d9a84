//! The door over real sockets, in front of real components.

mod admin;
mod api_keys;
mod balance;
mod bytes_held;
mod clients;
mod drain;
mod fixture;
mod http2;
mod hygiene;
mod isolation;
mod metrics;
mod mirror;
mod outcomes;
mod policies;
mod raw_client;
mod remote_and_local;
#[cfg(feature = "response-cache")]
mod response_cache;
mod retries;
