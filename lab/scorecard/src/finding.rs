//! Whether a figure of one run and the same of another run differ. Two runs share no seconds, so nothing cancels between
//! them: what the machine did meanwhile is in every absolute time. What sets the arms of one run apart met the same
//! machine at the same time, so that is what a single pair of runs is judged by.

use record::{Contrast, Measured, Note, Score};

use crate::card;
use crate::glossary;
use crate::measure::Property;

/// Finding of two figures whose intervals stand apart.
pub const DIFFERS: &str = "differs";
/// Finding of two counts that are equal.
pub const SAME: &str = "same";
/// Finding of figures that depend on the machine and on how processes started: one pair of runs decides nothing.
pub const NOT_JUDGED: &str = "not judged";
const UNDECIDED: &str = "undecided";
const NO_INTERVAL: &str = "no interval";

/// Whether a row's figures by themselves are those of the machine: times, bytes, rates, CPU.
pub fn is_absolute(score: &Score) -> bool {
    let depends_on_start = || {
        let term = glossary::term_of(&score.id);
        let mut rows = card::rows();
        term.and_then(|term| rows.find(|(_, row)| row.id == term.id))
            .is_some_and(|(measure, _)| measure.has(Property::DependsOnStart))
    };
    matches!(score.unit.as_str(), "s" | "B" | "/s") || depends_on_start()
}

/// `differs` where two counts are not equal, or the 95 % intervals of the two do not overlap; `undecided` where they do,
/// `no interval` where one has none. Figures of the machine are [`NOT_JUDGED`].
pub fn apart(one: &Measured, two: &Measured, is_absolute: bool) -> &'static str {
    match (one.interval, two.interval) {
        _ if is_absolute => NOT_JUDGED,
        _ if is_counted(one) && is_counted(two) => {
            if one.value == two.value {
                SAME
            } else {
                DIFFERS
            }
        }
        (Some(one), Some(two)) if one.upper() < two.low || two.upper() < one.low => DIFFERS,
        (Some(_), Some(_)) => UNDECIDED,
        _ => NO_INTERVAL,
    }
}

fn is_counted(measured: &Measured) -> bool {
    measured.note == Some(Note::Exact) && measured.value.is_some()
}

/// Whether an arm stands otherwise against its base arm in another run: `differs` where the 95 % intervals of the two
/// ratios, or differences, stand further apart than the row's `margin`. Each run has started its processes anew, and a
/// change within the margin changes no decision. Empty where nothing is compared.
pub fn contrasts_apart(one: &Contrast, two: &Contrast, margin: Option<f64>) -> &'static str {
    let (one, two, is_ratio) = match (one.ratio, two.ratio, one.difference, two.difference) {
        (Some(one), Some(two), ..) => (one, two, true),
        (_, _, Some(one), Some(two)) => (one, two, false),
        _ => return "",
    };
    let (Some(one), Some(two)) = (one.interval, two.interval) else { return NO_INTERVAL };
    let (lower, upper) = if one.low <= two.low { (one, two) } else { (two, one) };
    let is_apart = if is_ratio {
        upper.low > lower.upper() * margin.unwrap_or(1.0)
    } else {
        upper.low - lower.upper() > margin.unwrap_or(0.0)
    };
    if is_apart { DIFFERS } else { UNDECIDED }
}

#[cfg(test)]
mod tests {
    use record::Interval;

    use super::*;

    fn measured(value: f64, low: f64, high: f64) -> Measured {
        Measured { value: Some(value), interval: Some(Interval::new(low, high)), ..Measured::default() }
    }

    #[test]
    fn counts_and_shares_are_judged_and_absolute_times_are_not() {
        let (one, two) = (measured(0.01, 0.005, 0.015), measured(0.09, 0.08, 0.10));
        assert_eq!(apart(&one, &two, false), DIFFERS);
        assert_eq!(apart(&one, &measured(0.012, 0.007, 0.02), false), UNDECIDED);
        assert_eq!(apart(&one, &two, true), NOT_JUDGED);
        let exact = |value| Measured { value: Some(value), note: Some(Note::Exact), ..Measured::default() };
        assert_eq!(apart(&exact(7.0), &exact(7.0), false), SAME);
        assert_eq!(apart(&exact(7.0), &exact(8.0), false), DIFFERS);
        assert_eq!(apart(&one, &Measured::default(), false), NO_INTERVAL);
    }

    #[test]
    fn ratios_differ_beyond_the_margin_only() {
        let ratio =
            |value, low, high| Contrast { ratio: Some(measured(value, low, high)), ..Contrast::default() };
        let before = ratio(1.34, 1.30, 1.38);
        // 1.38 and 1.40 do not overlap, and are nearer than 1.1; 1.38 times 1.1 is 1.518.
        assert_eq!(contrasts_apart(&before, &ratio(1.42, 1.40, 1.44), Some(1.1)), UNDECIDED);
        assert_eq!(contrasts_apart(&before, &ratio(1.60, 1.52, 1.70), Some(1.1)), DIFFERS);
        assert_eq!(contrasts_apart(&ratio(1.60, 1.52, 1.70), &before, Some(1.1)), DIFFERS, "either way");
        assert_eq!(contrasts_apart(&before, &ratio(1.42, 1.40, 1.44), None), DIFFERS);
        let difference = |value, low, high| Contrast {
            difference: Some(measured(value, low, high)),
            ..Contrast::default()
        };
        assert_eq!(
            contrasts_apart(&difference(0.1, 0.09, 0.11), &difference(0.2, 0.19, 0.21), Some(0.005)),
            DIFFERS
        );
        assert_eq!(contrasts_apart(&before, &difference(0.1, 0.09, 0.11), None), "", "not of one kind");
        let bare = Contrast { ratio: Some(Measured::default()), ..Contrast::default() };
        assert_eq!(contrasts_apart(&bare, &before, None), NO_INTERVAL);
    }
}
