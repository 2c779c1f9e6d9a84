//! Whether the figures of two arms differ.

use std::collections::BTreeMap;

use record::Measured;

use crate::measure::Measure;
use crate::stats::Interval;

/// Finding of two figures that differ.
pub const DIFFERS: &str = "differs";
/// Finding of two figures between which no difference is seen.
const NO_DIFFERENCE: &str = "no difference";
/// Finding where a figure has no interval.
const NO_INTERVAL: &str = "no interval";

/// Of a row whose arms are compared by their ratio. `is_refused` where the ratio lacks its context.
pub(crate) fn of_row(
    measure: &Measure,
    arms: &BTreeMap<char, Measured>,
    ratio: Option<&Measured>,
    is_refused: bool,
) -> &'static str {
    if arms.values().any(|measured| measured.value.is_none()) {
        return "not measured";
    }
    if is_refused {
        return "no ratio without work, hop cost and hops";
    }
    let values: Vec<f64> = arms.values().filter_map(|measured| measured.value).collect();
    match ratio.and_then(|ratio| ratio.interval) {
        Some(interval) => of_ratio(interval),
        None if values.windows(2).all(|pair| pair[0] == pair[1]) => NO_DIFFERENCE,
        // A quantile has an interval as soon as there are samples beyond it.
        None if measure.quantile.is_some() => "too few samples",
        None => of_intervals(arms),
    }
}

/// A ratio's interval that holds 1 finds no difference.
pub(crate) fn of_ratio((low, high): Interval) -> &'static str {
    if low > 1.0 || high < 1.0 { DIFFERS } else { NO_DIFFERENCE }
}

/// Without a ratio: whether the intervals of the first two arms stand apart.
pub(crate) fn of_intervals(arms: &BTreeMap<char, Measured>) -> &'static str {
    let mut arms = arms.values();
    match (arms.next(), arms.next()) {
        (Some(a), Some(b)) => apart(a, b),
        _ => NO_INTERVAL,
    }
}

/// Of a row that is decided by a ratio it does not show.
pub(crate) fn of_hidden_ratio(ratio: Option<Measured>) -> &'static str {
    ratio.and_then(|ratio| ratio.interval).map_or(NO_INTERVAL, of_ratio)
}

/// Whether two figures differ: their intervals do not overlap.
pub fn apart(one: &Measured, two: &Measured) -> &'static str {
    match (one.interval, two.interval) {
        (Some((_, high)), Some((low, _))) if high < low => DIFFERS,
        (Some((low, _)), Some((_, high))) if high < low => DIFFERS,
        (Some(_), Some(_)) => NO_DIFFERENCE,
        _ => NO_INTERVAL,
    }
}
