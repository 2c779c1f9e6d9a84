//! What was spent in a stretch of time: whole, or as far as it is known.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{CpuSamples, INJECTED, Interval, scaled};

/// What was spent in a stretch of time, interpolated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expenditure<'a> {
    pub total_ns: u64,
    /// By part, ns; `None` where a process did not report.
    pub parts: Option<BTreeMap<&'a str, u64>>,
    /// Requests on the wire; `None` where a process did not report.
    pub requests: Option<u64>,
}

/// What an arm's processes spent in a stretch of time, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownCpu {
    /// All of it, ns.
    pub total_ns: u64,
    /// Of that on injected delays, as far as processes have reported it, ns.
    pub injected_ns: u64,
}

impl KnownCpu {
    pub fn plus(self, more: Self) -> Self {
        Self { total_ns: self.total_ns + more.total_ns, injected_ns: self.injected_ns + more.injected_ns }
    }
}

impl CpuSamples {
    /// What was spent from one moment to another; `None` where an interval between them is missing.
    pub fn spent(&self, range: &Range<u64>) -> Option<Expenditure<'_>> {
        let first = self.intervals.partition_point(|interval| interval.to <= range.start);
        let newest = self.interval().map(|(interval, _)| interval);
        let mut spent =
            Expenditure { parts: Some(BTreeMap::new()), requests: Some(0), ..Expenditure::default() };
        let mut reached = range.start;
        for interval in self.intervals[first..].iter().chain(&newest) {
            if interval.from > reached || reached >= range.end {
                break;
            }
            // The newest may have ended before: nothing was sampled since.
            if interval.to <= reached {
                continue;
            }
            let to = interval.to.min(range.end);
            self.add_share(&mut spent, interval, reached..to);
            reached = to;
        }
        (reached >= range.end).then_some(spent)
    }

    fn add_share<'a>(&'a self, spent: &mut Expenditure<'a>, interval: &Interval, range: Range<u64>) {
        let length = interval.to - interval.from;
        let share = |amount: u64| scaled(amount, range.end - range.start, length);
        spent.total_ns += share(interval.total);
        let Some(own) = &interval.own else {
            (spent.parts, spent.requests) = (None, None);
            return;
        };
        if let Some(parts) = &mut spent.parts {
            let mut sum = 0;
            for (name, ns) in self.names.iter().zip(&own.parts) {
                // Differences of scaled sums: they add up to the scaled total.
                let before = share(sum);
                sum += ns;
                *parts.entry(name).or_default() += share(sum) - before;
            }
        }
        if let Some(requests) = &mut spent.requests {
            // Counted from the interval's begin, so that no request is lost between two stretches.
            let until = |t: u64| scaled(own.requests, t - interval.from, length);
            *requests += until(range.end) - until(range.start);
        }
    }

    /// What was spent from one moment to another without intervals that are missing; `None` where all are.
    pub fn known(&self, range: &Range<u64>) -> Option<KnownCpu> {
        let injected = self.names.iter().position(|name| name == INJECTED);
        let first = self.intervals.partition_point(|interval| interval.to <= range.start);
        let newest = self.interval().map(|(interval, _)| interval);
        let mut known: Option<KnownCpu> = None;
        for interval in self.intervals[first..].iter().chain(&newest) {
            let (from, to) = (interval.from.max(range.start), interval.to.min(range.end));
            if from >= to {
                continue;
            }
            let share = |amount: u64| scaled(amount, to - from, interval.to - interval.from);
            let own = interval.own.as_ref();
            let of_delays = injected.and_then(|at| own?.parts.get(at).copied()).unwrap_or(0);
            let of_interval = KnownCpu { total_ns: share(interval.total), injected_ns: share(of_delays) };
            known = Some(known.unwrap_or_default().plus(of_interval));
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use record::Proc;

    use super::*;
    use crate::SECOND;

    #[test]
    fn what_is_missing_is_left_out_and_the_rest_added() {
        let mut samples = CpuSamples::default();
        // 100 ns a second, 30 of them on injected delays; the process ends in the third second, and another begins.
        for (second, pid, spent) in [(0, 1, 0), (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 2, 2)] {
            let proc = Proc {
                instance: "a".into(),
                pid,
                cpu_ns: spent * 100,
                cpu_timer_ns: spent * 30,
                scraped: true,
                ..Proc::default()
            };
            samples.add(second * SECOND, &proc);
        }
        let known = |from: u64, to: u64| samples.known(&(from * SECOND..to * SECOND));
        let of = |seconds: u64| Some(KnownCpu { total_ns: seconds * 100, injected_ns: seconds * 30 });
        assert_eq!([known(0, 2), known(0, 4), known(1, 4)], [of(2), of(3), of(2)]);
        assert_eq!([known(2, 3), known(5, 9)], [None, None]);
        let half = samples.known(&(SECOND / 2..SECOND)).expect("sampled");
        assert_eq!((half.total_ns, half.injected_ns), (50, 15));
    }
}
