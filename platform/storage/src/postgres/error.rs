//! SQLSTATE to the kinds of [`StorageError`] (PostgreSQL, appendix A, "PostgreSQL Error Codes").

use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::{Cause, StorageError};

impl From<Error> for StorageError {
    fn from(error: Error) -> Self {
        let kind = match error.code() {
            Some(code) => by_state(code.code()),
            None if is_disconnection(&error) => Self::Unreachable,
            None => Self::Other,
        };
        kind(readable(error))
    }
}

/// The kind of an error, as its constructor.
fn by_state(state: &str) -> fn(Cause) -> StorageError {
    match state {
        "23505" => StorageError::Unique,
        // Serialization failure, deadlock: nothing of the transaction was kept.
        "40001" | "40P01" => StorageError::Conflict,
        "53100" => StorageError::Full,
        // A lock or a statement that took too long.
        "55P03" | "57014" => StorageError::Busy,
        // The server shuts down, has crashed, starts.
        "57P01" | "57P02" | "57P03" | "57P05" => StorageError::Unreachable,
        _ if state.starts_with("53") => StorageError::Busy,
        _ if state.starts_with("08") => StorageError::Unreachable,
        _ if state.starts_with("XX0") && state != "XX000" => StorageError::Corrupt,
        _ => StorageError::Other,
    }
}

fn is_disconnection(error: &Error) -> bool {
    error.is_closed() || std::error::Error::source(error).is_some_and(|source| source.is::<io::Error>())
}

/// What the server wrote, which the outermost error leaves out.
fn readable(error: Error) -> Cause {
    let message = error.as_db_error().map(|db| format!("{} (SQLSTATE {})", db.message(), db.code().code()));
    message.map_or_else(|| error.into(), Into::into)
}

/// Whether the connection is of no use after it: the server ends it, or a statement that it has prepared does not fit
/// the tables any more.
pub(super) fn spoils_connection(error: &Error) -> bool {
    let is_fatal = |severity| matches!(severity, Severity::Fatal | Severity::Panic);
    error.as_db_error().is_some_and(|db| {
        db.parsed_severity().is_some_and(is_fatal) || *db.code() == SqlState::FEATURE_NOT_SUPPORTED
    })
}

/// What the failure of a commit means. A client that got an answer of the server knows that it did not happen; where the
/// connection broke instead, it may have.
pub(super) fn of_commit(error: Error) -> StorageError {
    let refused = error.as_db_error().is_some() && !spoils_connection(&error);
    match StorageError::from(error) {
        StorageError::Unreachable(cause) => StorageError::Lost(cause),
        known if refused => known,
        StorageError::Busy(cause) | StorageError::Other(cause) => StorageError::Lost(cause),
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_its_kind() {
        type IsKind = fn(&StorageError) -> bool;
        let kinds: [(&[&str], IsKind); 7] = [
            (&["23505"], |error| matches!(error, StorageError::Unique(_))),
            (&["40001", "40P01"], |error| matches!(error, StorageError::Conflict(_))),
            (&["53100"], |error| matches!(error, StorageError::Full(_))),
            (&["53300", "55P03", "57014", "53200"], |error| matches!(error, StorageError::Busy(_))),
            (&["57P01", "57P02", "57P03", "08006"], |error| matches!(error, StorageError::Unreachable(_))),
            (&["XX001", "XX002"], |error| matches!(error, StorageError::Corrupt(_))),
            // No rights, a zero byte, an internal error, a foreign key.
            (&["42501", "22021", "XX000", "23503"], |error| matches!(error, StorageError::Other(_))),
        ];
        for (states, is_kind) in kinds {
            for state in states {
                let error = by_state(state)("of the test".into());
                assert!(is_kind(&error), "{state}: {error:?}");
            }
        }
    }
}
