//! Storage errors, and the refusals they become.

use contract::{Refusal, RefusalKind};

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The writer was held for too long.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// No space left.
    #[error("the disk is full")]
    Full(#[source] sqlx::Error),
    /// The file is damaged or not a database.
    #[error("the database is damaged")]
    Corrupt(#[source] sqlx::Error),
    /// A row like it is there already.
    #[error("there is one already")]
    Unique(#[source] sqlx::Error),
    /// The commit failed: it may have happened.
    #[error("whether the commit happened is not known")]
    Lost(#[source] sqlx::Error),
    /// The file or its folder.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Anything else.
    #[error("the database refused")]
    Other(#[source] sqlx::Error),
}

/// Primary result codes (<https://www.sqlite.org/rescode.html>); extended codes carry them in the low byte.
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const CORRUPT: i64 = 11;
const FULL: i64 = 13;
const NOT_A_DATABASE: i64 = 26;

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<i64>().ok())
            .map(|code| code & 0xff);
        match (&error, code) {
            (_, Some(BUSY | LOCKED)) | (sqlx::Error::PoolTimedOut, _) => Self::Busy(error),
            (_, Some(FULL)) => Self::Full(error),
            (_, Some(CORRUPT | NOT_A_DATABASE)) => Self::Corrupt(error),
            (sqlx::Error::Database(cause), _) if cause.is_unique_violation() => Self::Unique(error),
            (sqlx::Error::Io(cause), _) if cause.kind() == std::io::ErrorKind::StorageFull => {
                Self::Full(error)
            }
            _ => Self::Other(error),
        }
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        // The cause is for the log: it may hold what a stranger should not see.
        let chain = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(error = %error, cause = %chain, "storage");
        let refusal = |kind, code, message| Self::new(kind, code, message);
        match error {
            StorageError::Busy(_) => {
                refusal(RefusalKind::Unavailable, "storage_busy", "the database is busy; try again")
            }
            StorageError::Full(_) => {
                refusal(RefusalKind::Unavailable, "storage_full", "no space is left to write to")
            }
            StorageError::Unique(_) => {
                refusal(RefusalKind::Conflict, "already_there", "there is one already")
            }
            StorageError::Lost(_) => refusal(
                RefusalKind::Lost,
                "commit_unknown",
                "the write may have happened; repeat it with the same key",
            ),
            StorageError::Corrupt(_) | StorageError::File { .. } | StorageError::Other(_) => {
                Self::internal("the database refused; see the log of the process")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_unavailable_and_a_lost_commit_may_have_happened() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let refusal = Refusal::from(StorageError::from(sqlx::Error::Io(full)));
        assert_eq!((refusal.kind.status(), refusal.code.as_ref()), (503, "storage_full"));
        let lost = Refusal::from(StorageError::Lost(sqlx::Error::PoolClosed));
        assert!(lost.kind.may_have_happened());
    }
}
