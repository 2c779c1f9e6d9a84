//! Time, chance, tasks and shutdown: what a process gives its parts instead of ambient globals.
//!
//! - [`clock`]: the one place that reads clocks.
//! - [`chance`]: seeded random streams, and dice without state.
//! - [`scope`]: which component the code that runs now belongs to.
//! - [`tasks`]: every task has an owner and a declared fate.
//! - [`cost`]: what a request costs, part by part, in CPU and in time.
//! - [`lifeline`]: a child does not outlive its parent.
//!
//! Start with [`tasks::Tasks`].

pub mod chance;
pub mod clock;
pub mod cost;
pub mod lifeline;
pub mod limits;
pub mod scope;
pub mod tasks;

pub use tasks::{Fate, Tasks, blocking};
