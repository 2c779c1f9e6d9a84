//! The largest of the values that came a moment ago.
//!
//! Readers ask about once a second and none empties it, so that any number of them may ask: it looks back
//! somewhat further than a second, and no value falls between two readings.

use std::sync::Mutex;

/// Values are kept by the stretch of time they came in, ns.
const STRETCH_NS: u64 = 250_000_000;
/// Stretches that count, the present one included: 1.25 s to 1.5 s.
const STRETCHES: usize = 6;

/// The largest recent value.
#[derive(Debug, Default)]
pub(crate) struct RecentMaximum {
    /// Number of the stretch, and its largest value.
    stretches: Mutex<[(u64, u64); STRETCHES]>,
}

impl RecentMaximum {
    /// A value came at `now_ns`.
    pub fn record(&self, now_ns: u64, value: u64) {
        let number = now_ns / STRETCH_NS;
        let mut stretches = self.stretches.lock().expect("no panic while held");
        let stretch = &mut stretches[number as usize % STRETCHES];
        *stretch = (number, if stretch.0 == number { stretch.1.max(value) } else { value });
    }

    /// The largest value of the last stretches; 0 without any.
    pub fn at(&self, now_ns: u64) -> u64 {
        let now = now_ns / STRETCH_NS;
        let stretches = self.stretches.lock().expect("no panic while held");
        let recent = stretches.iter().filter(|(number, _)| number + STRETCHES as u64 > now);
        recent.map(|(_, value)| *value).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_value_counts_for_more_than_a_second_and_less_than_two() {
        let waits = RecentMaximum::default();
        assert_eq!(waits.at(10_000 * MS), 0);
        waits.record(10_010 * MS, 700);
        waits.record(10_020 * MS, 40);
        waits.record(11_000 * MS, 50);
        assert_eq!(waits.at(11_010 * MS), 700);
        // Six stretches of 250 ms after the one it came in have begun.
        assert_eq!(waits.at(11_510 * MS), 50);
        assert_eq!(waits.at(20_000 * MS), 0, "all are long ago");
        waits.record(20_010 * MS, 5);
        assert_eq!(waits.at(20_020 * MS), 5, "an old value of the same place is forgotten");
    }
}
