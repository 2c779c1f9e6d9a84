//! Replications: the same model with other seeds, and what they say together.
//!
//! - [`replicate`]: independent runs on several threads, results in the order of seeds. Start here.
//! - [`warm_up`]: where the start of a run ends. [`interval`]: a mean over replications.

pub mod interval;
pub mod replicate;
pub mod warm_up;

pub use interval::Interval;
pub use replicate::{in_order, replicate};
