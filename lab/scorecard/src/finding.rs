//! Whether a figure of one run and the same of another run differ. Two runs share no seconds, so nothing cancels between
//! them: what the machine did meanwhile is in every absolute time. What sets the arms of one run apart met the same
//! machine at the same time, so that is what a single pair of runs is judged by.

use record::{Contrast, Measured, Note, Score};

use crate::card;
use crate::glossary;
use crate::measure::{Comparison, Measure, PART_MARGIN, Property, Row};

/// Finding of two figures whose intervals stand apart.
pub const DIFFERS: &str = "differs";
/// Finding of two counts that are equal.
pub const SAME: &str = "same";
/// Finding of figures that depend on the machine and on how processes started, and of which one run itself concludes nothing:
/// one pair of runs decides nothing.
pub const NOT_JUDGED: &str = "not judged";
/// Finding of figures whose intervals do not stand apart.
pub const UNDECIDED: &str = "undecided";
const NO_INTERVAL: &str = "no interval";

/// Whether a finding is one: something was compared.
pub fn is_judged(finding: &str) -> bool {
    [DIFFERS, SAME, UNDECIDED].contains(&finding)
}

/// Whether a row's figures by themselves are those of the machine: times, bytes, rates, CPU.
pub fn is_absolute(score: &Score) -> bool {
    let depends_on_start =
        || row_of(&score.id).is_some_and(|(measure, _)| measure.has(Property::DependsOnStart));
    matches!(score.unit.as_str(), "s" | "B" | "/s") || depends_on_start()
}

/// The row of a score's id.
fn row_of(id: &str) -> Option<(&'static Measure, &'static Row)> {
    let term = glossary::term_of(id)?;
    card::rows().find(|(_, row)| row.id == term.id)
}

/// Whether a figure can be compared with that of another run: it was counted, or has an interval that its own run would
/// conclude something from.
pub fn is_comparable(of: &Measured) -> bool {
    is_counted(of) || of.interval.is_some() && of.note != Some(Note::TooFewToJudge)
}

/// `differs` where two counts are not equal, or the 95 % intervals of the two do not overlap; `undecided` where they do,
/// `no interval` where one has none. Figures of the machine, and of too few samples, are [`NOT_JUDGED`].
pub fn apart(one: &Measured, two: &Measured, is_absolute: bool) -> &'static str {
    match (one.interval, two.interval) {
        _ if is_absolute => NOT_JUDGED,
        (Some(_), Some(_)) if !(is_comparable(one) && is_comparable(two)) => NOT_JUDGED,
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

/// Whether it was counted, so that there is nothing to estimate.
pub fn is_counted(measured: &Measured) -> bool {
    measured.note == Some(Note::Exact) && measured.value.is_some()
}

/// By how much two contrasts of a row may stand apart without changing a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margins {
    /// Ratios, as a factor.
    pub ratio: f64,
    /// Differences, in the row's unit.
    pub difference: f64,
}

impl Margins {
    /// Those of a row, whose base arm has the value `base`, and `total` in the row that it is a part of. A row of ratios has
    /// differences where a figure may be 0.
    pub fn of(score: &Score, base: Option<f64>, total: Option<f64>) -> Self {
        let comparison = row_of(&score.id).map(|(_, row)| row.comparison);
        let ratio = match comparison {
            _ if score.part_of.is_some() => {
                return Self { ratio: 1.0, difference: PART_MARGIN * total.unwrap_or(0.0).abs() };
            }
            Some(Comparison::Difference(_)) => {
                return Self { ratio: 1.0, difference: score.margin.unwrap_or(0.0) };
            }
            // In another guise it has the margin of the row that it is.
            Some(Comparison::SameAs(id)) => match row_of(id).map(|(_, row)| row.comparison) {
                Some(Comparison::Ratio(ratio)) => ratio,
                Some(Comparison::Difference(share)) => 1.0 + share,
                _ => 1.0,
            },
            _ => score.margin.unwrap_or(1.0),
        };
        Self { ratio, difference: (ratio - 1.0) * base.unwrap_or(0.0).abs() }
    }
}

/// Whether its run withholds the finding of what it shows: latency drifted, the machine was busy, samples were few.
fn is_withheld(of: &Contrast) -> bool {
    of.finding.is_none() && of.note.is_some()
}

/// Whether an arm against its base arm can be compared with the same of another run.
pub fn is_contrast_comparable(of: &Contrast) -> bool {
    let shown = of.ratio.or(of.difference);
    !is_withheld(of) && shown.is_some_and(|measured| measured.interval.is_some())
}

/// Whether an arm stands otherwise against its base arm in another run: `differs` where the 95 % intervals of the two
/// ratios, or differences, stand further apart than the row's margin. Each run has started its processes anew, and a
/// change within the margin changes no decision. `no interval` where one has none, or they are not of one kind, and
/// [`NOT_JUDGED`] where one run withholds its own finding. Empty where neither compares anything.
pub fn contrasts_apart(one: &Contrast, two: &Contrast, margins: Margins) -> &'static str {
    let shown = [one, two].map(|of| of.ratio.or(of.difference));
    let [Some(a), Some(b)] = shown else {
        return if shown.iter().any(Option::is_some) { NO_INTERVAL } else { "" };
    };
    let is_ratio = one.ratio.is_some();
    let (Some(a), Some(b)) = (a.interval, b.interval) else { return NO_INTERVAL };
    if is_ratio != two.ratio.is_some() {
        return NO_INTERVAL;
    }
    if is_withheld(one) || is_withheld(two) {
        return NOT_JUDGED;
    }
    let (lower, upper) = if a.low <= b.low { (a, b) } else { (b, a) };
    let is_apart = if is_ratio {
        upper.low > lower.upper() * margins.ratio
    } else {
        upper.low - lower.upper() > margins.difference
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

    /// Margins of a row without one.
    const NONE: Margins = Margins { ratio: 1.0, difference: 0.0 };

    #[test]
    fn ratios_differ_beyond_the_margin_only() {
        let ratio =
            |value, low, high| Contrast { ratio: Some(measured(value, low, high)), ..Contrast::default() };
        let before = ratio(1.34, 1.30, 1.38);
        // 1.38 and 1.40 do not overlap, and are nearer than 1.1; 1.38 times 1.1 is 1.518.
        let tenth = Margins { ratio: 1.1, ..NONE };
        assert_eq!(contrasts_apart(&before, &ratio(1.42, 1.40, 1.44), tenth), UNDECIDED);
        assert_eq!(contrasts_apart(&before, &ratio(1.60, 1.52, 1.70), tenth), DIFFERS);
        assert_eq!(contrasts_apart(&ratio(1.60, 1.52, 1.70), &before, tenth), DIFFERS, "either way");
        assert_eq!(contrasts_apart(&before, &ratio(1.42, 1.40, 1.44), NONE), DIFFERS);
        let difference = |value, low, high| Contrast {
            difference: Some(measured(value, low, high)),
            ..Contrast::default()
        };
        let half_a_point = Margins { difference: 0.005, ..NONE };
        assert_eq!(
            contrasts_apart(&difference(0.1, 0.09, 0.11), &difference(0.2, 0.19, 0.21), half_a_point),
            DIFFERS
        );
        assert_eq!(contrasts_apart(&before, &difference(0.1, 0.09, 0.11), NONE), NO_INTERVAL, "of two kinds");
        let bare = Contrast { ratio: Some(Measured::default()), ..Contrast::default() };
        assert_eq!(contrasts_apart(&bare, &before, NONE), NO_INTERVAL);
        assert_eq!(contrasts_apart(&Contrast::default(), &before, NONE), NO_INTERVAL, "it has gone");
        assert_eq!(contrasts_apart(&Contrast::default(), &Contrast::default(), NONE), "");
    }

    #[test]
    fn what_a_run_concludes_nothing_from_does_not_differ_from_another() {
        let ratio = |value, low, high, note| Contrast {
            ratio: Some(measured(value, low, high)),
            finding: (note != Some(Note::TooBusy)).then_some(record::Finding::Differs),
            note,
            ..Contrast::default()
        };
        let before = ratio(1.34, 1.30, 1.38, Some(Note::WithinThisRun));
        let quiet = ratio(1.60, 1.52, 1.70, Some(Note::WithinThisRun));
        assert_eq!(contrasts_apart(&before, &quiet, NONE), DIFFERS);
        let busy = ratio(1.60, 1.52, 1.70, Some(Note::TooBusy));
        assert_eq!(contrasts_apart(&before, &busy, NONE), NOT_JUDGED);
        assert_eq!(contrasts_apart(&busy, &before, NONE), NOT_JUDGED);
        assert_eq!(
            [before, busy, Contrast::default()].map(|of| is_contrast_comparable(&of)),
            [true, false, false]
        );
        // Shares of a handful of trials.
        let few = |of: Measured| Measured { note: Some(Note::TooFewToJudge), ..of };
        let (one, two) = (measured(0.01, 0.005, 0.015), measured(0.09, 0.08, 0.10));
        assert_eq!(apart(&one, &few(two), false), NOT_JUDGED);
    }

    #[test]
    fn differences_have_margins_in_their_own_unit() {
        let score = |id: &str, margin: Option<f64>, part_of: Option<&str>| Score {
            id: id.into(),
            claim: String::new(),
            measure: String::new(),
            unit: String::new(),
            better: record::Better::Lower,
            window: "steady".into(),
            part_of: part_of.map(str::to_owned),
            arms: std::collections::BTreeMap::new(),
            margin,
            contrasts: std::collections::BTreeMap::new(),
            ratio: None,
            notes: Vec::new(),
            context: None,
            finding: String::new(),
        };
        let of = |score: &Score, base, total| {
            let Margins { ratio, difference } = Margins::of(score, base, total);
            [ratio, difference].map(|margin| (margin * 1e6).round() / 1e6)
        };
        // A server that one arm lacks has a difference: a twentieth of the base arm's 4 ms, and not 1.05 seconds.
        assert_eq!(of(&score("server_cpu", Some(1.05), None), Some(0.004), None), [1.05, 0.000_2]);
        assert_eq!(of(&score("server_cpu", Some(1.05), None), Some(0.0), None), [1.05, 0.0]);
        assert_eq!(of(&score("goodput_kill", Some(0.005), None), Some(0.9), None), [1.0, 0.005]);
        assert_eq!(of(&score("lost_writes", Some(5.0), None), Some(0.0), None), [1.0, 5.0]);
        // A part has none of its own: a twentieth of the total.
        assert_eq!(
            of(&score("cpu_transport", None, Some("cpu_per_journey")), None, Some(0.002)),
            [1.0, 0.000_1]
        );
        assert_eq!(
            of(&score("rate_per_core", None, None), None, None),
            [1.05, 0.0],
            "as CPU per journey has"
        );
        assert_eq!(of(&score("rate", None, None), None, None), [1.005, 0.0], "as goodput has");
        assert_eq!(of(&score("pareto_front", None, None), Some(1.0), None), [1.0, 0.0]);
    }
}
