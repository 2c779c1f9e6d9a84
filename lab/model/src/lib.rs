//! What a run record means: its lines are folded once, and every view and the judge ask here. Pure.
//!
//! - [`run`]: the fold, and its questions over a window: sums, merged latencies, CPU, edges, events.
//! - [`window`]: which seconds a question is about.
//! - [`incidents`]: what is wrong at a moment, in words.
//! - [`format`](mod@format): a number with its unit, the same in every view.
//! - [`glossary`]: what each number is and how it is computed.
//!
//! Start with [`Run`].

pub mod format;
pub mod glossary;
pub mod incidents;
pub mod run;
pub mod window;

pub use run::Run;
pub use window::{TimeRange, Window};

/// One second, ns.
pub const SECOND: u64 = 1_000_000_000;
