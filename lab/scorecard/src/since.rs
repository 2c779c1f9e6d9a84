//! Since when an expectation is violated: the moment from which its figure, taken from its window's start until then,
//! was beyond the limit without a break.

use crate::expect::{Expectation, Kind, Measure, Window};
use crate::measure::measure;
use model::{Run, SECOND};

/// Measures that mean something from a window's start to any second in it.
const fn grows(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Latency(..)
            | Kind::Staleness(_)
            | Kind::Goodput(_)
            | Kind::Rate(_)
            | Kind::Errors(_)
            | Kind::Availability(_)
            | Kind::Slower(..)
    )
}

/// The moment, ns since the run's start. `None` for measures without one, for arms that take turns and so share no
/// clock, and where the figure is not plainly beyond the limit in the end.
pub(crate) fn since(
    run: &Run,
    that: &Expectation,
    left: &Measure,
    factor: f64,
    arm: char,
    limit: f64,
) -> Option<u64> {
    if run.header.rounds > 1 || !grows(&left.kind) {
        return None;
    }
    let seconds = run.seconds(&left.window);
    let is_violated = |until: u32| {
        let so_far = measure(run, &left.kind, &Window::Seconds(seconds.start, until), arm);
        so_far.value.is_some_and(|value| !that.op.holds(value * factor, limit))
    };
    let last_good = (seconds.start + 1..=seconds.end).rev().find(|until| !is_violated(*until));
    let from = last_good.unwrap_or(seconds.start);
    (from < seconds.end).then(|| run.header.load_start_ns + u64::from(from) * SECOND)
}
