//! Reads, checks and explains scenario files.
//!
//! - [`read`]: from text to a scenario, all faults in one pass; steps and expectations have files of their own. `reader`:
//!   what each is read with; `declared`: what they leave to be compared.
//! - [`Application`]: what a scenario is written for: components, and who calls whom; `edges`: what names of it come to.
//! - [`action`]: what a step does besides faults. [`change`]: an edit of the source that is built and deployed. `arms`: every variant on every topology.
//!   `edge_policies`: what their edges do.
//! - `names`, `references`, `copies`, `servers`, `collisions`, `claims`: what parts of the file have to do with each other, checked last.
//! - [`scale`]: the size at which a scenario is only simulated. [`sweep`]: keys that vary from one simulation to the next.
//!   [`prices`]: what a month of an arm is priced with.
//! - [`search`]: rates that a search for capacity goes on to beyond those of the file.
//! - [`scenario`]: what a scenario says: the sum of the types of those who carry it out.
//! - [`source`]: places, carets and right choices for messages.
//! - [`schema`]: the JSON Schema, for editors, of the shape in `file`.
//! - [`explain`]: what a run would do, without doing it.
//!
//! Start with [`read::read`].

pub mod action;
mod application;
mod arms;
pub mod change;
mod claims;
mod collisions;
mod copies;
mod declared;
mod edge_policies;
mod edges;
mod expectations;
pub mod explain;
mod file;
mod load;
pub mod names;
mod optional_keys;
pub mod prices;
pub mod read;
mod reader;
mod references;
pub mod scale;
pub mod scenario;
pub mod schema;
pub mod search;
mod servers;
pub mod source;
mod steps;
pub mod sweep;
mod targets;
mod tokens;
mod verbs;

pub use action::Action;
pub use application::Application;
pub use arms::MAX_ARMS;
pub use change::{Change, Probe};
pub use prices::Prices;
pub use read::{read, read_combination};
pub use scale::SystemScale;
pub use scenario::{
    Arm, Assertion, Budget, DataRetention, Phase, Pick, RunMode, Scenario, Step, Stop, TelemetryLevel,
};
pub use source::{Diagnostic, Diagnostics, Source};
pub use sweep::Sweep;
