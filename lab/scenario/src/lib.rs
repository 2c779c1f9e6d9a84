//! Reads, checks and explains a scenario file.
//!
//! - [`read`]: from text to a scenario, all faults in one pass; steps and expectations have files of their own.
//! - [`action`]: what a step does besides faults. `arms`: every variant on every topology.
//! - [`model`]: what a scenario says: the sum of the types of those who carry it out.
//! - [`source`]: places, carets and right choices for messages.
//! - [`schema`]: the JSON Schema, for editors.
//! - [`explain`]: what a run would do, without doing it.
//!
//! Start with [`read::read`].

pub mod action;
mod arms;
mod check;
mod expect;
pub mod explain;
pub mod model;
mod place;
pub mod read;
pub mod schema;
pub mod source;
mod step;

pub use action::Action;
pub use model::{Arm, Assertion, Budget, Keeping, Phase, Pick, Scenario, Step, Stop, Watching, Way};
pub use read::read;
pub use source::{Fault, Faults, Source};
