//! Time, randomness, tasks and shutdown: what a process gives its parts instead of ambient globals.
//!
//! - [`clock`]: the one place that reads clocks.
//! - [`random`]: seeded random streams, and dice without state.
//! - [`scope`]: which component the code that runs now belongs to.
//! - [`tasks`]: every task has an owner and a declared shutdown policy.
//! - [`background`]: threads for long work that gives way to all other.
//! - [`quiet()`]: a future that is polled only when it has been woken itself.
//! - [`timer`]: waits that end when they should, also those of microseconds.
//! - [`time_slice`]: a thread that is due runs soon, also on a busy machine.
//! - [`allocator`]: how many arenas the heap has, and what it gives back.
//! - [`cost`]: what a request costs, part by part, in CPU and in time.
//! - [`lifeline`]: a child does not outlive its parent.
//! - [`bounded_file`]: files that are read whole, within a limit.
//!
//! Start with [`tasks::Tasks`].

pub mod allocator;
pub mod background;
pub mod bounded_file;
pub mod clock;
pub mod cost;
pub mod lifeline;
pub mod limits;
mod quiet;
pub mod random;
pub mod scope;
pub mod tasks;
pub mod time_slice;
pub mod timer;

pub use background::BackgroundThreads;
pub use quiet::{Quiet, quiet};
pub use tasks::{ShutdownPolicy, Tasks, blocking};
