//! The registry and its clients over real sockets.

mod api;
mod leaving;
mod outage;
mod test_registry;
mod watching;
