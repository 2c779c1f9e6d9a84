//! Starts the arms of a run, plays their steps, observes and judges them, and leaves nothing behind.
//!
//! Rooms, from the top down; a room uses rooms below its own and never one above (held by `lab/tests/rooms`):
//!
//! - [`run`]: a run, from its options to its verdict. Start here.
//! - [`steps`]: the timeline, and what each kind of step does to an arm.
//! - [`arm`]: one deployment and its instances: started, supervised, shut down.
//! - [`observe`]: what is written each second, and where it is written.
//! - [`process`]: processes and the machine, as the kernel and a control endpoint show and change them.

pub mod arm;
#[cfg(test)]
mod fixture;
pub mod observe;
pub mod process;
pub mod run;
pub mod steps;

pub use run::{BuiltChange, Interrupts, Run, RunError, RunOptions, RunOutcome};
