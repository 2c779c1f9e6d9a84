//! Storage errors, and the refusals they become.

use contract::{Refusal, RefusalKind};

/// What the database, or the file system below it, returned.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The writer was held for too long.
    #[error("the database is busy")]
    Busy(#[source] Cause),
    /// No space left.
    #[error("the disk is full")]
    Full(#[source] Cause),
    /// The file is damaged or not a database.
    #[error("the database is damaged")]
    Corrupt(#[source] Cause),
    /// A row like it is there already.
    #[error("there is one already")]
    Unique(#[source] Cause),
    /// Another transaction committed first: nothing was changed, and the same again may succeed.
    #[error("another transaction committed first")]
    Conflict(#[source] Cause),
    /// The server of the database does not answer, or the connection to it broke; nothing was committed.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Cause),
    /// The caller's deadline passed while a statement ran, which was ended: nothing was changed.
    #[error("the caller has stopped waiting for a statement")]
    DeadlineExceeded(#[source] Cause),
    /// The commit failed: it may have happened.
    #[error("whether the commit happened is not known")]
    Lost(#[source] Cause),
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
    Other(#[source] Cause),
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
            // Nothing was done, since others did the same: two writes of one client suffice, and no component has failed.
            StorageError::Conflict(_) => {
                Self::shed("storage_conflict", "another write was committed first; try again", None)
            }
            StorageError::Unreachable(_) => refusal(
                RefusalKind::Unavailable,
                "storage_unreachable",
                "the database cannot be reached; try again",
            ),
            StorageError::DeadlineExceeded(_) => Self::too_late(),
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
        let refusal = Refusal::from(StorageError::Full("no space left".into()));
        assert_eq!((refusal.kind.status(), refusal.code.as_ref()), (503, "storage_full"));
        let lost = Refusal::from(StorageError::Lost("the process was killed".into()));
        assert!(lost.kind.may_have_happened());
    }

    #[test]
    fn a_write_that_was_overtaken_is_no_failure_of_its_component() {
        let overtaken = Refusal::from(StorageError::Conflict("another was faster".into()));
        assert_eq!((overtaken.kind.status(), overtaken.is_shed), (503, true));
        assert!(!Refusal::from(StorageError::Busy("for too long".into())).is_shed);
    }
}
