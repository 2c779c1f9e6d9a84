//! Faults: their kinds, their targets, and the leases that end them.
//!
//! - [`kinds`]: the faults themselves, one file each; adding one is its file and its line there.
//! - [`target`]: what a fault acts on: an edge, a component, one copy, a zone, a store.
//! - [`matching`]: which of the calls there are hit, by stateless dice.
//! - [`lease`]: a fault in force: it ends by itself unless it is renewed.
//! - [`lease_table`]: the leases of a process and when they lapse; asked at every call, free while empty.
//! - [`delivery`]: what delays asked for, and how late they were delivered.
//! - [`call`]: faults of one call. [`active`]: faults of a process, whatever calls it gets.
//! - [`connection`]: faults of a connection, byte by byte.
//! - [`process`]: faults that act on a process from outside.
//! - [`control`]: the messages by which the lab controls the leases of a process.
//!
//! Start with [`lease_table::LeaseTable::call_fault`]. Nothing here waits, sleeps or reads a clock: carriers do.

pub mod active;
pub mod call;
pub mod connection;
pub mod control;
pub mod delivery;
pub mod kinds;
pub mod lease;
pub mod lease_table;
pub mod matching;
pub mod process;
pub mod target;

pub use active::ActiveFaults;
pub use call::{CallFault, CallSite, Corruption, End, PanicScope, Side};
pub use connection::{ConnectionFault, PieceDelay};
pub use delivery::{AskedDelays, DelayCounter, DelayCounts};
pub use kinds::{Actuator, Fault};
pub use lease::Lease;
pub use lease_table::{LeaseTable, TableFull};
pub use matching::{Match, ShareOf};
pub use process::ProcessFault;
pub use target::{Pattern, Target, TargetKind};
