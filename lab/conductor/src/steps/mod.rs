//! The timeline, and what each kind of step does to an arm.
//!
//! - `timeline`: every step in every arm, when it is due. Start here.
//! - [`targets`]: the instances a step acts on. `gate`: whether a fault may be injected.
//! - `context`: what a step needs. [`log`]: what happened to steps, for the verdict. `held`: for how long conditions hold.
//! - Faults: `lease` inside nodes, `process_faults` by signals and limits, `connection_faults` by a proxy on an edge,
//!   `server_connections` by one before a server, `burner` on the machine, `server_faults` of servers as processes,
//!   `server_sessions` within database servers, `schema_changes` of tables there.
//! - Changes: `copies` that come and go, `autoscale` when by themselves, `deploy` of `builds`, `served`: from when on a change
//!   is served, `reconfigure` of policies.

mod autoscale;
mod builds;
mod burner;
mod connection_faults;
pub(crate) mod context;
mod copies;
mod deploy;
mod gate;
pub(crate) mod held;
pub(crate) mod lease;
pub(crate) mod log;
mod process_faults;
mod reconfigure;
#[cfg(feature = "postgres")]
mod schema_changes;
mod served;
#[cfg(feature = "postgres")]
mod server_answers;
mod server_connections;
mod server_faults;
#[cfg(feature = "postgres")]
mod server_sessions;
#[cfg(all(test, feature = "postgres"))]
mod server_stage;
pub mod targets;
pub(crate) mod timeline;
