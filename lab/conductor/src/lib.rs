//! Starts the arms, runs the timeline, samples, judges, and leaves nothing behind.
//!
//! - [`run`]: a run, from its options to its verdict. Start here.
//! - `stage`: its course, from the first process to the last line. `plan`: what is settled before.
//!   `phases`: when they begin, and what each cost. `stop`: what ends a run early.
//! - [`seed`]: the data a run begins with.
//! - [`arm`]: one deployment: started, supervised, shut down. [`instance`]: one process of it.
//! - [`children`]: child processes, tied to the lab twice.
//! - [`generator`]: the load generator as a child.
//! - [`timeline`]: steps, as they are played. [`targets`]: the instances a step acts on. `process_faults`: signals,
//!   limits and restarts. `connection_faults`: faults of an edge's connections, by a `proxy`. `deploy`: copies that come
//!   and go.
//! - [`guardian`]: undoes what a dead conductor cannot. `cgroup`: quotas of CPU. [`netns`]: a network of the run's own.
//! - [`sampling`]: what processes, edges and the host did, once a second. `edges`: all copies of a caller as one edge.
//! - `collector`: spans of all nodes, assembled to requests.
//! - [`record_writer`]: where lines go. [`metrics_endpoint`], [`scrape_targets`]: a run as Prometheus sees it.
//! - [`finish`](mod@finish): checks, scores, verdict.
//! - [`up`]: a suite that stays, for trying things out.
//! - [`usage`], [`exposition`], [`control`]: how numbers are read.

pub mod arm;
pub mod cgroup;
pub mod children;
mod collector;
mod connection_faults;
pub mod control;
mod deploy;
mod edges;
pub mod exposition;
mod finish;
pub mod generator;
pub mod guardian;
pub mod instance;
pub mod metrics_endpoint;
pub mod netns;
mod phases;
mod plan;
mod process_faults;
mod proxy;
pub mod record_writer;
pub mod run;
pub mod sampling;
pub mod scrape_targets;
pub mod seed;
mod stage;
mod stop;
pub mod targets;
pub mod timeline;
pub mod up;
pub mod usage;

pub use run::{Interrupts, Run, RunError, RunOptions, RunOutcome};
