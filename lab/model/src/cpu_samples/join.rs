//! Old intervals, joined: a run that goes on keeps one where there were many.

use super::{CpuSamples, Interval};

impl CpuSamples {
    /// Joins intervals that ended before a moment to longer ones: what was spent within one is then evenly spread.
    pub fn join_before(&mut self, t: u64, length: u64) {
        let old = self.intervals.partition_point(|interval| interval.to <= t);
        let mut joined: Vec<Interval> = Vec::new();
        for interval in self.intervals.drain(..old) {
            match joined.last_mut() {
                Some(last) if last.is_joined_by(&interval, length) => last.join(interval),
                _ => joined.push(interval),
            }
        }
        self.intervals.splice(0..0, joined);
    }
}

impl Interval {
    /// Whether another goes on where this one ends, and both together are no longer than a length.
    fn is_joined_by(&self, next: &Self, length: u64) -> bool {
        self.to == next.from && next.to - self.from <= length && self.own.is_some() == next.own.is_some()
    }

    fn join(&mut self, next: Self) {
        self.to = next.to;
        self.total += next.total;
        self.own = self.own.take().zip(next.own).map(|(sum, more)| sum.plus(&more));
    }
}
