//! `held 15s` of a condition: it must have held so long without a break.

use std::time::{Duration, Instant};

/// Since when a condition has held.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HoldTimer(Option<Instant>);

impl HoldTimer {
    /// Takes the judgement of a moment; whether the condition has held for `held` by then.
    pub(crate) fn has_held(&mut self, holds: bool, now: Instant, held: Duration) -> bool {
        if !holds {
            self.0 = None;
            return false;
        }
        let since = *self.0.get_or_insert(now);
        now.saturating_duration_since(since) >= held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_begins_the_time_again() {
        let start = runtime::clock::now();
        let mut timer = HoldTimer::default();
        let mut at = |second: u64, holds| {
            timer.has_held(holds, start + Duration::from_secs(second), Duration::from_secs(2))
        };
        assert!(!at(0, true) && !at(1, true));
        assert!(at(2, true), "two seconds without a break");
        assert!(!at(3, false) && !at(4, true) && !at(5, true), "it broke at 3 and began again at 4");
        assert!(at(6, true));
    }

    #[test]
    fn what_need_not_be_held_holds_at_once() {
        assert!(HoldTimer::default().has_held(true, runtime::clock::now(), Duration::ZERO));
    }
}
