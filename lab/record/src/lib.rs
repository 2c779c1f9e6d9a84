//! The run record: every line kind, its reader and its writer. All views are drawn from it.
//!
//! - [`line`]: a line: header, phase, window, edge, event. `proc`: a second of a process. [`machine`]: what it ran on. [`resources`]: what an arm is
//!   given. [`build`]: what a change in it took. [`delay`]: what was put between processes. [`trace`]: requests followed through the components. [`outcome`]:
//!   check, cost, audit, end. [`score`]: a row of the scorecard. [`prediction`]: what stands behind a simulated record.
//!   [`speed`]: how fast the machine was.
//! - [`histogram`]: latencies as they are kept and merged, never averaged. `packed`: how they lie in memory.
//! - [`writer`]: `run.jsonl`, written a line at a time. [`reader`]: read, while being written as well. `bounded_line`: lines within a limit.
//!   [`file`]: packed or not; [`packing`]: done once its run is over. [`kind`]: what kind a line is of. [`index`]: where its seconds begin. [`mod@schema`]: for other readers.
//!
//! A record is one JSON object per line; the first is `header`, the last `end`.
//! No `end` means the run was cut short. A torn last line is ignored, an unknown
//! kind is skipped, an unknown major version is an error.

mod bounded_line;
pub mod build;
pub mod delay;
pub mod file;
mod hdr;
pub mod histogram;
mod host;
pub mod index;
pub mod kind;
pub mod line;
pub mod locked;
pub mod machine;
pub mod outcome;
mod packed;
pub mod packing;
pub mod prediction;
mod prices;
mod proc;
pub mod reader;
pub mod resources;
pub mod schema;
pub mod score;
pub mod speed;
mod sweep;
pub mod trace;
mod window;
pub mod writer;

pub use bounded_line::MAX_LINE_BYTES;
pub use build::{Build, BuiltProgram};
pub use delay::*;
pub use histogram::Latencies;
pub use host::Host;
pub use index::{Index, Place};
pub use kind::Kind;
pub use line::*;
pub use locked::LockedFile;
pub use machine::*;
pub use outcome::*;
pub use prediction::*;
pub use prices::Prices;
pub use proc::{OperationCost, Proc};
pub use reader::{ReadError, Reader};
pub use resources::Resources;
pub use score::*;
pub use speed::MachineSpeed;
pub use sweep::*;
pub use trace::*;
pub use writer::{Writer, is_being_written};

/// Major version of the format, as it is written. Version 3 brought simulated records: a program that does not know them would
/// show one as measured, so it must refuse it.
pub const SCHEMA_VERSION: u32 = 3;

/// The oldest version that is read. A field that is renamed keeps its old name as an alias for as long as a version that has
/// it is read; readers refuse any other version. Version 3 renamed nothing, so that no version is given up for it.
pub const OLDEST_VERSION: u32 = 1;

/// How the user's side of a request is called, beside the components.
pub const CLIENT: &str = "client";
