//! Processes and the machine: signals, limits and figures from outside, and requests to a process's control endpoint.
//!
//! - [`guardian`]: undoes what a dead conductor cannot, from a journal written beforehand. Start here.
//!   `undo`: how each of its entries is undone.
//! - [`server_data`]: what a run keeps on servers that outlive it, and how it is removed.
//! - [`cgroup`]: quotas of CPU by control group. [`netns`]: a network of the run's own, in which packets can be dropped.
//! - [`usage`]: what a process has used. [`tree`]: what a process has used with all it has started. [`host`]: what the machine has
//!   used, and has left. [`speed_probe`]: how fast it is now.
//! - [`program`]: what children are started from. [`deployables`]: the application's own programs, before and after a change.
//!   [`private`]: files that no other user reads.
//! - `cause`: errors as one sentence. `bounded_line`: lines that another process wrote.
//!   [`control`]: requests to a node's control and metrics endpoints.

pub(crate) mod bounded_line;
pub(crate) mod cause;
pub mod cgroup;
pub mod control;
pub mod deployables;
pub mod guardian;
pub mod host;
pub mod netns;
pub mod private;
pub mod program;
pub mod server_data;
pub mod speed_probe;
pub mod tree;
mod undo;
pub mod usage;
