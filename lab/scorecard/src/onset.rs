//! Since when an expectation is violated: the moment from which its value, taken from its window's start until then,
//! was beyond the limit without a break.

use model::{SECOND, Window};

use crate::measure::{Measure, Property};
use crate::selection::Selection;

/// The moment, ns since the run's start. `None` for measures without one, for arms that take turns and so share no
/// clock, and where the value is not plainly beyond the limit in the end.
pub(crate) fn onset(measure: &Measure, of: &Selection<'_>, holds: impl Fn(f64) -> bool) -> Option<u64> {
    let header = &of.run.header;
    if header.rounds > 1 || !measure.has(Property::Cumulative) {
        return None;
    }
    let seconds = of.seconds();
    let is_violated = |until: u32| {
        let window = Window::Seconds(seconds.start, until);
        let seen = measure.seen(&of.within(&window));
        // What did not end is beyond every limit, not as long as was waited.
        let value = if seen.is_censored { seen.value.map(|_| f64::INFINITY) } else { seen.value };
        value.is_some_and(|value| !holds(value))
    };
    let last_good = (seconds.start + 1..=seconds.end).rev().find(|until| !is_violated(*until));
    let from = last_good.unwrap_or(seconds.start);
    (from < seconds.end).then(|| header.load_start_ns + u64::from(from) * SECOND)
}
