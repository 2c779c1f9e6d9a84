//! Service discovery: the registry with leases and watches, and clients that tolerate its outage.
//!
//! - [`instance`]: services, instances, epochs, revisions, deltas.
//! - [`lease_table`]: expiry of leases, and self-preservation when too many lapse at once.
//! - [`registry_state`]: the registry as a pure state machine.
//! - [`registry`]: the state behind a lock, with its sweep and its watchers; hosted in any process.
//! - [`api`]: the registry's HTTP API.
//! - [`location`]: the address of a registry.
//! - [`client`]: the [`Registrar`] that announces a process, the [`Watcher`] that feeds its clusters.
//!
//! Start with [`registry_state::RegistryState::apply`].
//!
//! Guarantees: one writer, a revision that only grows, and reads at the registry that see every
//! earlier write. Clients hold a stale prefix of that history; its staleness is bounded by one lease
//! and one heartbeat, and exported as a gauge. During an outage of the registry clients miss changes,
//! but requests continue.

pub mod api;
pub mod client;
pub mod instance;
pub mod lease_table;
pub mod location;
pub mod registry;
pub mod registry_state;

pub use client::registrar::{Registrar, Registration};
pub use client::watcher::{Watch, Watcher};
pub use instance::{Epoch, Instance, InstanceId, ServiceName, State};
pub use location::{Location, LocationParseError};
pub use registry::{Options, Registry};
