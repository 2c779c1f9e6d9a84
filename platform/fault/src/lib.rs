//! What can go wrong, to whom, and until when.
//!
//! - [`kinds`]: the faults themselves, one file each; adding one is its file and its line there.
//! - [`target`]: whom a fault hits: an edge, a component, one copy.
//! - [`matching`]: which of the calls there are hit, by stateless dice.
//! - [`lease`]: a fault in force: it ends by itself unless somebody renews it.
//! - [`table`]: the leases of a process; asked at every call, free while empty.
//! - [`verdict`]: what a call must suffer.
//! - [`control`]: how the lab talks to a process about its leases.
//!
//! Start with [`table::Table::verdict`]. Nothing here waits, sleeps or reads a clock: carriers do.

pub mod control;
pub mod kinds;
pub mod lease;
pub mod matching;
pub mod table;
pub mod target;
pub mod verdict;

pub use kinds::{Carried, Fault};
pub use lease::Lease;
pub use matching::{Match, ShareOf};
pub use table::{Table, TableFull};
pub use target::{Pattern, Target};
pub use verdict::{End, Side, Site, Verdict};
