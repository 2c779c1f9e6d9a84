//! The run record: every line kind, its reader and its writer. All views are drawn from it.
//!
//! - [`line`]: what a line says: header, phase, window, edge, proc, event. [`trace`]: requests followed through
//!   the components. [`outcome`]: check, score, cost, audit, end.
//! - [`histogram`]: latencies as they are kept and merged, never averaged.
//! - [`file`]: `run.jsonl`, written a line at a time, read while being written. [`mod@schema`]: for other readers.
//!
//! A record is one JSON object per line; the first is `header`, the last `end`.
//! No `end` means the run was cut short. A torn last line is ignored, an unknown
//! kind is skipped, an unknown major version is an error.

pub mod file;
pub mod histogram;
pub mod line;
pub mod outcome;
pub mod schema;
pub mod trace;

pub use file::{ReadError, Reader, Writer};
pub use histogram::Latencies;
pub use line::*;
pub use outcome::*;
pub use trace::*;

/// Major version of the format: readers refuse any other.
pub const SCHEMA_VERSION: u32 = 1;

/// How the user's side of a request is called, beside the components.
pub const CLIENT: &str = "client";
