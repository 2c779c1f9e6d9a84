//! Processes and the machine: the only room that talks to the kernel.
//!
//! - [`guardian`]: undoes what a dead conductor cannot, from a journal written beforehand. Start here.
//! - [`cgroup`]: quotas of CPU by control group.
//! - [`netns`]: a network of the run's own, in which the kernel may drop packets.
//! - [`usage`]: what a process and the host have used.
//! - [`control`]: requests to a node's control and metrics endpoints.

pub mod cgroup;
pub mod control;
pub mod guardian;
pub mod netns;
pub mod usage;
