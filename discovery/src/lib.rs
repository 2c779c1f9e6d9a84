//! Service discovery: the registry with leases and watches, and clients that tolerate its outage.
//!
//! - [`instance`]: services, instances, epochs, revisions, deltas.
//! - [`lease_table`]: expiry of leases, and self-preservation when too many lapse at once.
//! - [`registry_state`]: the registry as a pure state machine.
//! - [`registry_log`]: what is registered, on disk, for the registry's next start.
//! - [`registry`]: the state behind a lock, with its sweep, its log and its watchers; hosted in any process.
//! - [`api`]: the registry's HTTP API.
//! - [`location`]: the address of a registry.
//! - `new_file`: what takes the place of an older file when it is whole.
//! - [`client`]: the [`Registrar`] that announces a process, the [`Watcher`] that feeds its clusters.
//!
//! Start with [`registry_state::RegistryState::apply`].
//!
//! Guarantees: one writer, a revision that only grows, and reads at the registry that see every
//! earlier write. Clients hold a stale prefix of that history; its staleness is bounded by one lease
//! and one heartbeat, and exported as a gauge. During an outage of the registry clients miss changes,
//! but requests continue. A registry that is started again begins a history of its own, with what its
//! log holds: what it acknowledged within the last moments before it was killed may be missing there,
//! and each instance registers it again with its next renewal. Until its watchers have come back, within three seconds, they
//! go by what they knew: an instance that leaves meanwhile is listed as draining, and serves on, until they must have heard of it.

pub mod api;
pub mod client;
pub mod instance;
pub mod lease_table;
pub mod location;
mod new_file;
pub mod registry;
pub mod registry_log;
pub mod registry_state;

pub use client::registrar::{Registrar, Registration};
pub use client::watcher::{Watch, Watcher};
pub use instance::{Epoch, Instance, InstanceId, ServiceName, State};
pub use location::{Location, LocationParseError};
pub use registry::{Options, Registry};
pub use registry_log::{LogError, LogOptions};
