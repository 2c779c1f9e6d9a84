//! Samples by their moments, oldest first.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::SECOND;

/// Samples, each with its moment, ns since the run's start.
pub(crate) type History<T> = Vec<(u64, T)>;

/// A sample older than this is no longer known, ns.
pub const STALE_NS: u64 = 5 * SECOND;

/// The samples up to a moment.
pub(crate) fn until<T>(samples: &[(u64, T)], t: u64) -> &[(u64, T)] {
    &samples[..samples.partition_point(|(at, _)| *at <= t)]
}

/// The newest sample at a moment; `None` where it is stale.
pub(crate) fn newest<T>(samples: &[(u64, T)], t: u64) -> Option<&T> {
    let (at, sample) = until(samples, t).last()?;
    (t - at <= STALE_NS).then_some(sample)
}

/// The samples from one moment to another, both included.
pub(crate) fn between<T>(samples: &[(u64, T)], from: u64, to: u64) -> &[(u64, T)] {
    let first = samples.partition_point(|(at, _)| *at < from);
    &samples[first..samples.partition_point(|(at, _)| *at <= to).max(first)]
}

/// The samples whose moments lie in one of the ranges.
pub(crate) fn inside<'a, 'r, T>(
    samples: &'a [(u64, T)],
    ranges: &'r [Range<u64>],
) -> impl Iterator<Item = &'a (u64, T)> + use<'a, 'r, T> {
    ranges.iter().flat_map(move |range| within(samples, range))
}

/// The samples that describe the second before them, where that second lies, for its greater part, in one of the ranges.
pub(crate) fn of_seconds_inside<'a, T>(
    samples: &'a [(u64, T)],
    ranges: &[Range<u64>],
) -> impl Iterator<Item = &'a T> + use<'a, T> {
    let half_a_second_later = |range: &Range<u64>| range.start + SECOND / 2..range.end + SECOND / 2;
    let ranges: Vec<Range<u64>> = ranges.iter().map(half_a_second_later).collect();
    ranges.into_iter().flat_map(move |range| within(samples, &range)).map(|(_, sample)| sample)
}

fn within<'a, T>(samples: &'a [(u64, T)], range: &Range<u64>) -> &'a [(u64, T)] {
    let first = samples.partition_point(|(at, _)| *at < range.start);
    let end = samples.partition_point(|(at, _)| *at < range.end).max(first);
    &samples[first..end]
}

/// Joins entries of seconds before one: those of a step become one, at its first second. Steps that are joined already stay where
/// they are: entries of a long run that moved each time would lie scattered among what is freed.
pub(crate) fn join<T: Default>(
    seconds: &mut BTreeMap<u32, T>,
    before: u32,
    step: u32,
    add: impl Fn(&mut T, T),
) {
    let within_step = |second: &u32| !second.is_multiple_of(step);
    let moved: Vec<u32> = seconds.range(..before).map(|(second, _)| *second).filter(within_step).collect();
    for second in moved {
        if let Some(of) = seconds.remove(&second) {
            add(seconds.entry(second / step * step).or_default(), of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_a_step_become_one_and_later_ones_stay() {
        let mut seconds: BTreeMap<u32, u64> = (0..10).map(|second| (second, 1)).collect();
        let add = |sum: &mut u64, more: u64| *sum += more;
        join(&mut seconds, 5, 3, add);
        assert_eq!(seconds, BTreeMap::from([(0, 3), (3, 2), (5, 1), (6, 1), (7, 1), (8, 1), (9, 1)]));
        seconds.remove(&6);
        join(&mut seconds, 9, 3, add);
        assert_eq!(
            seconds,
            BTreeMap::from([(0, 3), (3, 3), (6, 2), (9, 1)]),
            "its first second may have nothing"
        );
    }

    #[test]
    fn a_second_belongs_to_the_range_in_which_most_of_it_lies() {
        let sampled_at = |offset_ms: u64| -> History<u64> {
            (1..=8).map(|second| (second * SECOND + offset_ms * 1_000_000, second)).collect()
        };
        let of = |samples: &History<u64>| -> Vec<u64> {
            of_seconds_inside(samples, &[2 * SECOND..4 * SECOND, 6 * SECOND..7 * SECOND]).copied().collect()
        };
        assert_eq!(of(&sampled_at(3)), [3, 4, 7], "as each second ends");
        assert_eq!(of(&sampled_at(400)), [3, 4, 7]);
        assert_eq!(of(&sampled_at(600)), [2, 3, 6]);
    }
}
