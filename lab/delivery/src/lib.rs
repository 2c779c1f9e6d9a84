//! What a change costs, as far as the source tree and its history show: dependency graph, owners, co-change. No IO.
//!
//! - [`metadata`]: what `cargo metadata` prints, read.
//! - [`graph`]: which crates a change rebuilds, in which programs, and whose tests it selects.
//! - [`components`]: which crate belongs to which component. [`crate_folders`]: which file to which crate.
//! - [`owners`]: a CODEOWNERS file, and who owns a path.
//! - [`commits`]: what `git log --name-status` prints, read.
//! - [`co_change`]: which components changed together.
//! - [`document`]: all of it as one document. [`schema`]: its JSON Schema.
//! - [`structure`](mod@structure): makes the document from its sources.
//!
//! Start with [`structure()`].

pub mod co_change;
pub mod commits;
pub mod components;
pub mod crate_folders;
pub mod document;
pub mod graph;
pub mod metadata;
pub mod owners;
pub mod schema;
pub mod structure;

pub use components::Assignment;
pub use document::Structure;
pub use metadata::Metadata;
pub use owners::Owners;
pub use structure::{Sources, StructureError, structure};
