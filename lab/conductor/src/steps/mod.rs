//! The timeline, and what each kind of step does to an arm.
//!
//! - [`timeline`]: every step in every arm, when it is due. Start here.
//! - [`targets`]: the instances a step acts on.
//! - `process_faults`: signals, limits and restarts. `deploy`: copies that come and go.
//! - `connection_faults`: faults of an edge's connections, by a `proxy`.

mod connection_faults;
mod deploy;
mod process_faults;
mod proxy;
pub mod targets;
pub mod timeline;
