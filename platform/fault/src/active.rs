//! Faults that are active in a process as long as their leases hold, whatever calls it gets.
//!
//! Always computed anew from the leases in force, never undone by an inverse: two
//! that overlap, or a restart between them, leave no trace.

use std::net::SocketAddr;
use std::time::Duration;

use contract::ComponentName;

/// How the file system fails the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFault {
    /// Writes fail: no space is left.
    pub full: bool,
    /// Every operation fails.
    pub broken: bool,
    /// Every operation takes so much longer.
    pub slow: Duration,
}

/// How a registry answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryAnswer {
    /// With an error.
    Error,
    /// With an empty list.
    Empty,
    /// With the list of when the fault began.
    Stale,
    /// With an address without a listener.
    Wrong,
    /// Rightly, so much later.
    Slow(Duration),
}

/// The active faults of a process, by component where they have one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActiveFaults {
    /// Threads that burn CPU.
    pub burners: u32,
    /// How far the wall clock is off, milliseconds.
    pub clock_ms: i64,
    /// Whether it reports that it is not ready.
    pub not_ready: bool,
    /// The disk below the database.
    pub disk: DiskFault,
    /// A write transaction is held all the time.
    pub db_locked: bool,
    /// Connections that may read at once: the smallest limit.
    pub readers: Option<u32>,
    /// Components whose events make their consumer panic.
    pub poisoned: Vec<ComponentName>,
    /// Whether a poisonous event is set aside after some tries.
    pub dead_letters: bool,
    /// Components that get events out of order, with how many change places at a time.
    pub reordered: Vec<(ComponentName, u32)>,
    /// Components whose batch calls are made one item at a time.
    pub chatty: Vec<ComponentName>,
    /// No events are delivered from here.
    pub delivery_stopped: bool,
    /// How the registry here answers.
    pub registry: Option<RegistryAnswer>,
    /// Addresses, and where to connect instead: proxies that spoil what passes.
    pub detours: Vec<(SocketAddr, SocketAddr)>,
}
