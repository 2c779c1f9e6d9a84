//! What all rows, claims and fronts of a run are judged with: the resamples of its windows, and what is known of starts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::resampling::Resampling;
use super::statistic::Frame;
use super::stored_starts::StoredStarts;

/// One for all that is judged of a run: what hit two figures cancels only where they share their resamples.
#[derive(Debug, Default)]
pub struct Engine {
    starts: StoredStarts,
    resamplings: Mutex<HashMap<Frame, Arc<Resampling>>>,
}

impl Engine {
    /// Where this is known of starts.
    pub fn new(starts: StoredStarts) -> Self {
        Self { starts, ..Self::default() }
    }

    /// By how much two starts of one program differ on this machine.
    pub fn starts(&self) -> &StoredStarts {
        &self.starts
    }

    /// The resamples of a window, the same for all who ask.
    pub fn resampling(&self, frame: &Frame) -> Arc<Resampling> {
        let mut known = self.resamplings.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(frame.clone()).or_insert_with(|| Arc::new(Resampling::new(frame))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_one_set_of_resamples() {
        let frame = |window: &str| Frame { seed: 7, window: window.into(), rounds: 1, seconds: 20 };
        let engine = Engine::default();
        let steady = engine.resampling(&frame("steady"));
        assert!(Arc::ptr_eq(&steady, &engine.resampling(&frame("steady"))));
        assert!(!Arc::ptr_eq(&steady, &engine.resampling(&frame("crash"))));
    }
}
