//! Why servers of databases cannot be had.

/// Why a topology's servers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program cannot speak to them.
    #[error(
        "arm `{0}` keeps data in PostgreSQL, and this program was built without it; build it with `cargo build --release --features postgres`"
    )]
    NotBuilt(String),
    /// They are not on this machine, or do not start.
    #[error("arm `{arm}` keeps data in PostgreSQL: {reason}")]
    Unavailable {
        /// Which.
        arm: String,
        /// Why.
        reason: String,
    },
    /// They start, and refuse.
    #[error("the PostgreSQL server of arm `{arm}` refused")]
    Refused {
        /// Which.
        arm: String,
        /// Why.
        #[source]
        source: storage::StorageError,
    },
}
