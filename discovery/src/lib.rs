//! Who is where: the registry with its leases and watches, and the clients that outlive it.
//!
//! - [`instance`]: services, instances, epochs, revisions, deltas.
//! - [`lease_table`]: who must be heard from until when; when to doubt that silence means death.
//! - [`registry_state`]: the registry as a state machine, pure.
//! - [`registry`]: the store behind a lock, its sweep and its watchers; hosted in any process.
//! - [`api`]: the registry's API.
//! - [`location`]: where a registry listens.
//! - [`client`]: the [`Registrar`] that announces a process, the [`Watcher`] that feeds its clusters.
//!
//! Start with [`registry_state::RegistryState::apply`].
//!
//! What readers may rely on: one writer, a revision that only grows, and on that
//! node every read sees every write before it. Clients hold a stale prefix of
//! that history; how stale is bounded by one lease and one heartbeat, and
//! shown by a gauge. A registry that is away costs news, never requests.

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
