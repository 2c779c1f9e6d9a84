//! What can go wrong, to whom, and until when.
//!
//! - [`kinds`]: the faults themselves, one file each; adding one is its file and its line there.
//! - [`target`]: whom a fault hits: an edge, a component, one copy, a zone, a store.
//! - [`matching`]: which of the calls there are hit, by stateless dice.
//! - [`lease`]: a fault in force: it ends by itself unless somebody renews it.
//! - [`table`]: the leases of a process; asked at every call, free while empty.
//! - [`verdict`]: what a call must suffer. [`standing`]: what a process must, whatever it is asked.
//! - [`wire`]: what a connection suffers, byte by byte.
//! - [`deed`]: what only somebody outside a process can do to it.
//! - [`control`]: how the lab talks to a process about its leases.
//!
//! Start with [`table::Table::verdict`]. Nothing here waits, sleeps or reads a clock: carriers do.

pub mod control;
pub mod deed;
pub mod kinds;
pub mod lease;
pub mod matching;
pub mod standing;
pub mod table;
pub mod target;
pub mod verdict;
pub mod wire;

pub use deed::Deed;
pub use kinds::{Carried, Fault};
pub use lease::Lease;
pub use matching::{Match, ShareOf};
pub use standing::Standing;
pub use table::{Table, TableFull};
pub use target::{Pattern, Place, Target};
pub use verdict::{Dies, End, Side, Site, Spoilt, Verdict};
pub use wire::Ill;
