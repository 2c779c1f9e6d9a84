//! What injected delays asked for, and how late they were delivered.
//!
//! A delay that takes longer than it asks for makes a comparison wrong without a word, so each is measured where it is
//! injected. Counts by value, so that those of several processes add up and have a median.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often each delay was asked for, and how often each was so much too long; microseconds, of three digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayCounts {
    /// Delays asked for, microseconds, with how often each was.
    pub asked_us: BTreeMap<u64, u64>,
    /// How much longer than asked, microseconds, with how often.
    pub late_us: BTreeMap<u64, u64>,
}

impl DelayCounts {
    /// Adds a delay that has passed.
    pub fn add(&mut self, asked: Duration, late: Duration) {
        *self.asked_us.entry(rounded_us(asked)).or_default() += 1;
        *self.late_us.entry(rounded_us(late)).or_default() += 1;
    }

    /// Adds those of another process.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in [(&mut self.asked_us, &other.asked_us), (&mut self.late_us, &other.late_us)] {
            for (us, count) in more {
                *sum.entry(*us).or_default() += count;
            }
        }
    }

    /// Delays that have passed.
    pub fn count(&self) -> u64 {
        self.asked_us.values().sum()
    }

    /// The median of what was asked for, microseconds; `None` without a delay.
    pub fn asked_us_p50(&self) -> Option<u64> {
        median(&self.asked_us)
    }

    /// The median of how much too long delays were, microseconds.
    pub fn late_us_p50(&self) -> Option<u64> {
        median(&self.late_us)
    }
}

/// Whole microseconds, of which the first three digits are kept: a thousand values a decade at most, each to 0.5 %.
fn rounded_us(length: Duration) -> u64 {
    let us = u64::try_from((length.as_nanos() + 500) / 1_000).unwrap_or(u64::MAX);
    let unit = 10_u64.pow(us.max(1).ilog10().saturating_sub(2));
    (us / unit + u64::from(us % unit >= unit.div_ceil(2).max(1))) * unit
}

/// The value in the middle; the lower of two.
fn median(counts: &BTreeMap<u64, u64>) -> Option<u64> {
    let middle = counts.values().sum::<u64>().div_ceil(2);
    let mut seen = 0;
    counts.iter().find_map(|(us, count)| {
        seen += count;
        (seen >= middle).then_some(*us)
    })
}

/// Counts the delays of one lease, or of one network, of a process.
#[derive(Debug, Default)]
pub struct DelayCounter(Mutex<DelayCounts>);

impl DelayCounter {
    /// A delay has passed.
    pub fn add(&self, asked: Duration, late: Duration) {
        self.0.lock().expect("no panic while held").add(asked, late);
    }

    /// All of them so far.
    pub fn counts(&self) -> DelayCounts {
        self.0.lock().expect("no panic while held").clone()
    }
}

/// The delays that a call waits for together, each with the lease that asked for it.
#[derive(Debug, Default)]
pub struct AskedDelays(Vec<(Arc<DelayCounter>, Duration)>);

impl AskedDelays {
    pub(crate) fn push(&mut self, counter: Arc<DelayCounter>, asked: Duration) {
        self.0.push((counter, asked));
    }

    /// The call has waited for all of them, and so much longer than they asked for.
    pub fn passed(&self, late: Duration) {
        for (counter, asked) in &self.0 {
            counter.add(*asked, late);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn three_digits_are_kept() {
        let rounded = |ns: u64| rounded_us(Duration::from_nanos(ns));
        assert_eq!([0, 499, 500, 27_400, 300_000].map(rounded), [0, 0, 1, 27, 300]);
        assert_eq!([1_234_000, 1_235_000, 150_049_000].map(rounded), [1_230, 1_240, 150_000]);
        assert_eq!(rounded(999_900), 1_000);
        assert_eq!(rounded(9_999_000), 10_000);
    }

    #[test]
    fn counts_of_processes_add_up_and_have_medians() {
        let mut here = DelayCounts::default();
        assert_eq!((here.count(), here.asked_us_p50(), here.late_us_p50()), (0, None, None));
        here.add(300 * US, 40 * US);
        let mut there = DelayCounts::default();
        there.add(300 * US, 20 * US);
        there.add(500 * US, 1_100 * US);
        here.merge(&there);
        // Asked: 300, 300, 500; late: 20, 40, 1,100.
        assert_eq!((here.count(), here.asked_us_p50(), here.late_us_p50()), (3, Some(300), Some(40)));
        let text = serde_json::to_string(&here).expect("plain data");
        assert_eq!(serde_json::from_str::<DelayCounts>(&text).expect("as written"), here);
    }
}
