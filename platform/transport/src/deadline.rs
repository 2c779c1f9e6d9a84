//! The moment a caller stops waiting.

use std::time::Instant;

use contract::{CallContext, Refusal};

/// Work for a caller that has stopped waiting by `now` is refused.
pub(crate) fn check_deadline(cx: &CallContext, now: Instant) -> Result<(), Refusal> {
    match cx.deadline.remaining(now) {
        Some(_) => Ok(()),
        None => Err(Refusal::too_late()),
    }
}
