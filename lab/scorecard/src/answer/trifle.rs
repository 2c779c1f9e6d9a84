//! Differences between two arms that were seen once and are not worth a word: they stand in the scorecard, and neither cost
//! nor buy anything.

use record::{Contrast, Interval, Measured, Note, Score};

use crate::measure::Unit;

/// Shares of one event that differ by fewer of their standard errors may have come about by chance. Ours: arrivals of one
/// fault share its moment, so that the error of independent ones is too small.
const STANDARD_ERRORS: f64 = 3.0;
/// Values that differ by less are the same where the row names no margin: 5 % of a ratio.
const MARGIN: f64 = 1.05;

/// Whether both arms stand so close in what was seen once that neither is better.
pub(super) fn is_trifle(score: &Score, contrast: &Contrast, base: &Measured, other: &Measured) -> bool {
    contrast.finding.is_none() && is_close(&score.unit, score.margin, contrast.note, base, other)
}

fn is_close(unit: &str, margin: Option<f64>, note: Option<Note>, base: &Measured, other: &Measured) -> bool {
    let (Some(a), Some(b)) = (base.value, other.value) else { return false };
    // Equal values are news of their own, and what is censored has no place.
    if a == b || base.is_censored || other.is_censored {
        return false;
    }
    match note.or(base.note) {
        Some(Note::ThisEvent) if unit == Unit::Share.symbol() => {
            let error = |p: f64, n: u64| p * (1.0 - p) / n.max(1) as f64;
            let pooled = (a * base.n as f64 + b * other.n as f64) / (base.n + other.n).max(1) as f64;
            let standard_error = (error(pooled, base.n) + error(pooled, other.n)).sqrt();
            (a - b).abs() <= (STANDARD_ERRORS * standard_error).max(margin.unwrap_or(0.005))
        }
        Some(Note::ThisEvent) => match (base.interval, other.interval) {
            (Some(a), Some(b)) => !is_below(a, b) && !is_below(b, a),
            _ => false,
        },
        Some(Note::OncePerRun) => {
            let ratio = (b / a).max(a / b);
            ratio <= margin.unwrap_or(MARGIN)
        }
        _ => false,
    }
}

fn is_below(one: Interval, two: Interval) -> bool {
    one.high.is_some_and(|high| high < two.low)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: &str = Unit::Share.symbol();

    fn measured(value: f64, n: u64, note: Note) -> Measured {
        Measured { value: Some(value), n, note: Some(note), ..Measured::default() }
    }

    fn trifle(unit: &str, base: &Measured, other: &Measured) -> bool {
        is_close(unit, None, None, base, other)
    }

    #[test]
    fn shares_of_one_event_differ_beyond_chance() {
        let share = |value, n| measured(value, n, Note::ThisEvent);
        assert!(trifle(SHARE, &share(0.515, 3_000), &share(0.508, 3_000)), "0.7 points of 3,000");
        assert!(!trifle(SHARE, &share(0.515, 3_000), &share(0.854, 3_000)));
        assert!(trifle(SHARE, &share(0.003, 90_000), &share(0.004, 90_000)), "less than half a point");
        assert!(!trifle(SHARE, &share(0.0, 700), &share(0.143, 700)));
        assert!(trifle(SHARE, &share(0.0, 7), &share(0.143, 7)), "one of seven");
    }

    #[test]
    fn what_is_the_same_in_both_is_no_trifle() {
        let share = measured(1.0, 500, Note::ThisEvent);
        assert!(!trifle(SHARE, &share, &share));
    }

    #[test]
    fn times_of_one_event_differ_beyond_their_intervals() {
        let seconds = |value: f64| Measured {
            interval: Some(Interval { low: (value - 1.0).max(0.0), high: Some(value + 1.0) }),
            ..measured(value, 1, Note::ThisEvent)
        };
        assert!(trifle("s", &seconds(3.0), &seconds(4.0)));
        assert!(!trifle("s", &seconds(0.0), &seconds(3.0)));
    }

    #[test]
    fn memory_within_five_per_cent_is_the_same() {
        let memory = |mib: f64| measured(mib, 1, Note::OncePerRun);
        assert!(trifle("MiB", &memory(31.0), &memory(31.4)));
        assert!(!trifle("MiB", &memory(31.0), &memory(84.0)));
    }
}
