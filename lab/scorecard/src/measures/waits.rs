//! `longest_wait`, `writer_wait`: the longest wait for what can be had by so many at a time, and for the writer of a database
//! alone. Their rows, which name what was waited for, are [`breakdowns::waits`](crate::breakdowns).

use model::waits::WRITER;

use crate::inference::{Once, Statistic};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

/// For anything.
pub const LONGEST_WAIT: Measure = Measure {
    name: "longest_wait",
    meaning: "longest wait that ended, for a writer, a reader, a connection, a slot or admission, in any process of the arm",
    statistic: |of| by_round(of, |_| true),
    ..WAIT
};

/// For a writer.
pub const WRITER_WAIT: Measure = Measure {
    name: "writer_wait",
    meaning: "longest wait that ended for the one writer of a database, in any process of the arm",
    statistic: |of| by_round(of, |queue| queue == WRITER),
    ..WAIT
};

const WAIT: Measure = Measure {
    unit: Unit::Time,
    properties: &[Property::DependsOnStart, Property::NotSimulated],
    ..Measure::DEFAULT
};

fn by_round(of: &Selection<'_>, is_meant: impl Fn(&str) -> bool + Copy) -> Statistic {
    Statistic::once(of.by_round(|round| longest_of(round, is_meant)))
}

/// The longest wait of some seconds of one round, for what is meant.
pub(crate) fn longest_of(round: &Selection<'_>, is_meant: impl Fn(&str) -> bool) -> Option<Once> {
    Some(Once::of(round.longest_wait(is_meant)?.us as f64 / 1e6))
}
