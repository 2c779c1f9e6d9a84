//! What can go wrong, to whom, and until when.
//!
//! - [`kinds`]: the faults themselves, one file each; adding one is its file and its line there.
//! - [`target`]: whom a fault hits: an edge, a component, one copy, a zone, a store.
//! - [`matching`]: which of the calls there are hit, by stateless dice.
//! - [`lease`]: a fault in force: it ends by itself unless somebody renews it.
//! - [`table`]: the leases of a process; asked at every call, free while empty.
//! - [`call`]: what a call must suffer. [`active`]: what a process must, whatever it is asked.
//! - [`connection`]: what a connection suffers, byte by byte.
//! - [`process`]: what only somebody outside a process can do to it.
//! - [`control`]: how the lab talks to a process about its leases.
//!
//! Start with [`table::LeaseTable::call_fault`]. Nothing here waits, sleeps or reads a clock: carriers do.

pub mod active;
pub mod call;
pub mod connection;
pub mod control;
pub mod kinds;
pub mod lease;
pub mod matching;
pub mod process;
pub mod table;
pub mod target;

pub use active::ActiveFaults;
pub use call::{CallFault, CallSite, Corruption, End, PanicScope, Side};
pub use connection::ConnectionFault;
pub use kinds::{Actuator, Fault};
pub use lease::Lease;
pub use matching::{Match, ShareOf};
pub use process::ProcessFault;
pub use table::{LeaseTable, TableFull};
pub use target::{Pattern, Target, TargetKind};
