//! Errors as one sentence, for logs and records.

use std::error::Error;

/// An error and its cause.
pub(crate) fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
