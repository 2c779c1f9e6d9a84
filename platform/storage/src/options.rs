//! How a database is opened, and what its commits survive.

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Power loss: what an acknowledged write means by default. Commits that wait for the disk at once share its sync;
    /// others may see one while it waits.
    #[default]
    Full,
    /// A killed process, not power loss.
    Normal,
    /// Nothing: only for files that are made and thrown away.
    Off,
}

impl Synchronous {
    /// Its name, as SQLite has it. PostgreSQL has nothing in between: after a kill the server has either all
    /// acknowledged writes or may lack the last ones.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
            Self::Off => "off",
        }
    }
}

/// How a database is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What a commit survives.
    pub synchronous: Synchronous,
    /// Reading connections.
    pub readers: u32,
    /// Transactions that write at a time, each on a connection of its own. SQLite has one. On PostgreSQL more than one
    /// run at isolation level SERIALIZABLE, and one that another has overtaken ends as [`crate::StorageError::Conflict`].
    pub writers: u32,
    /// Other processes use the same file: their commits wake no waiter here, so
    /// consumers poll more often.
    pub shared: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { synchronous: Synchronous::Full, readers: 2, writers: 1, shared: false }
    }
}

impl Options {
    /// For filling a fresh file that is copied afterwards.
    pub const fn bulk() -> Self {
        Self { synchronous: Synchronous::Off, readers: 1, writers: 1, shared: false }
    }
}
