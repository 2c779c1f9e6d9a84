//! The moment a caller stops waiting.

use contract::{CallContext, Refusal};
use runtime::clock;

/// Work for a caller that has stopped waiting is refused.
pub(crate) fn check_deadline(cx: &CallContext) -> Result<(), Refusal> {
    match cx.deadline.remaining(clock::now()) {
        Some(_) => Ok(()),
        None => Err(Refusal::too_late()),
    }
}
