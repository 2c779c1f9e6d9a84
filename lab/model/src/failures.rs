//! What counts as failed of a window, and the error ratio.

use record::Window;

/// Failed journeys of a window: of the arrivals due all that were not answered ok. While answers may still come, those
/// that have failed so far, were dropped or were left behind.
pub fn failed(window: &Window) -> u64 {
    if window.closed {
        window.offered.saturating_sub(window.ok)
    } else {
        window.errors.values().sum::<u64>() + window.dropped + window.abandoned
    }
}

/// Journeys that were not answered before the user gave up.
pub fn timeouts(window: &Window) -> u64 {
    window.errors.get("timeout").copied().unwrap_or(0)
}

/// The error ratio: failed over offered; `None` where nothing was offered.
pub fn error_ratio(failed: u64, offered: u64) -> Option<f64> {
    (offered > 0).then(|| failed as f64 / offered as f64)
}
