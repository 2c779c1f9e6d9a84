//! Old intervals, joined: a run that goes on keeps one where there were many.

use super::{CpuSamples, Interval};

impl CpuSamples {
    /// Joins intervals that ended before a moment to longer ones: what was spent within one is then evenly spread.
    pub fn join_before(&mut self, t: u64, length: u64) {
        self.intervals.dedup_by(|next, last| {
            let is_joined = next.to <= t && last.is_joined_by(next, length);
            if is_joined {
                last.join(next);
            }
            is_joined
        });
    }
}

impl Interval {
    /// Whether another goes on where this one ends, and both together are no longer than a length.
    fn is_joined_by(&self, next: &Self, length: u64) -> bool {
        self.to == next.from && next.to - self.from <= length && self.own.is_some() == next.own.is_some()
    }

    fn join(&mut self, next: &Self) {
        self.to = next.to;
        self.total += next.total;
        self.own = self.own.take().zip(next.own.as_ref()).map(|(sum, more)| sum.plus(more));
    }
}
