//! Who is where: the registry with its leases and watches, and the clients that outlive it.
//!
//! - [`model`]: services, instances, epochs, revisions, deltas.
//! - [`lease`]: who must be heard from until when; when to doubt that silence means death.
//! - [`store`]: the registry as a state machine, pure.
//! - [`registry`]: the store behind a lock, its sweep and its watchers; hosted in any process.
//! - [`http`]: the registry's API.
//! - [`place`]: where a registry listens.
//! - [`client`]: the [`Registrar`] that announces a process, the [`Watcher`] that feeds its clusters.
//!
//! Start with [`store::Store::apply`].
//!
//! What readers may rely on: one writer, a revision that only grows, and on that
//! node every read sees every write before it. Clients hold a stale prefix of
//! that history; how stale is bounded by one lease and one heartbeat, and
//! shown by a gauge. A registry that is away costs news, never requests.

pub mod client;
pub mod http;
pub mod lease;
pub mod model;
pub mod place;
pub mod registry;
pub mod store;

pub use client::registrar::{Registrar, Registration};
pub use client::watcher::{Watch, Watcher};
pub use model::{Epoch, Instance, InstanceId, ServiceName, State};
pub use place::{NotAPlace, Place};
pub use registry::{Options, Registry};
