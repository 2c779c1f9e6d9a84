//! Starts the arms, plays the timeline, samples, judges, and leaves nothing behind.
//!
//! - [`run`]: a run, from its plan to its verdict. Start here.
//! - `stage`: its course, from the first process to the last line. `plan`: what is settled before.
//!   `phases`: when they begin, and what each cost. `stop`: what ends a run early.
//! - [`seed`]: what is there when a run begins.
//! - [`arm`]: one deployment: started, kept alive, ended. [`instance`]: one process of it.
//! - [`children`]: child processes, tied to us twice.
//! - [`load`]: the generator as a child.
//! - [`timeline`]: steps, as they are played. [`reach`]: whom they reach. `deeds`: what is done to
//!   processes. `deploy`: copies that come and go. `proxy`: what connections suffer.
//! - [`guardian`]: undoes what a dead conductor cannot. `cgroup`: quotas of CPU.
//! - [`sample`]: what processes, edges and the host did, once a second. `edges`: copies of a caller put together.
//! - `collector`: spans of all nodes, put together to requests.
//! - [`lines`]: where lines go. [`figures`], [`targets`]: a run as Prometheus sees it.
//! - [`finish`](mod@finish): checks, scores, verdict.
//! - [`up`]: a suite that stays, for trying things out.
//! - [`procfs`], [`exposition`], [`http`]: how figures are read.

pub mod arm;
pub mod cgroup;
pub mod children;
mod collector;
mod deeds;
mod deploy;
mod edges;
pub mod exposition;
pub mod figures;
mod finish;
pub mod guardian;
pub mod http;
pub mod instance;
pub mod lines;
pub mod load;
pub mod netns;
mod phases;
mod plan;
pub mod procfs;
mod proxy;
pub mod reach;
pub mod run;
pub mod sample;
pub mod seed;
mod stage;
mod stop;
pub mod targets;
pub mod timeline;
pub mod up;
mod wire;

pub use run::{Interrupts, Order, Outcome, Run, RunError};
