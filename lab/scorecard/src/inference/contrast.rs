//! An arm against the base arm in one row: ratio or difference with its interval, and what it takes to call them different
//! or equivalent. Which rows are, [`super::decide`] says over all rows of a run.

use record::{Contrast, Finding, Measured, Note};

use super::capacity::Bracket;
use super::conditions::{Conditions, Margin};
use super::estimate::estimate;
use super::evidence::{Drawn, Evidence, concluded, with_start};
use super::figure::{Content, Figure};
use super::recovery;
use super::share_contrast;
use super::statistic::Body;

/// A contrast in the making: what it takes to decide it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Without its finding.
    pub contrast: Contrast,
    /// `None` where nothing is to be concluded.
    pub evidence: Option<Evidence>,
}

/// Compares an arm with the base arm in one row of one window.
pub fn contrast(base: &Figure, other: &Figure, conditions: &Conditions<'_>) -> Candidate {
    if let (Some(base), Some(other)) = (bracket_of(base), bracket_of(other)) {
        let is_withheld = conditions.withheld == Some(Note::TooBusy);
        return if is_withheld { only(Note::TooBusy, None) } else { brackets(&base, &other) };
    }
    let (one, two) = (estimate(base), estimate(other));
    let (Some(a), Some(b)) = (one.value, two.value) else {
        return only(one.note.or(two.note).unwrap_or(Note::NotMeasured), None);
    };
    let n = one.n.min(two.n);
    let point = (a > 0.0 && !one.is_censored && !two.is_censored).then(|| Measured {
        value: Some(b / a),
        n,
        ..Measured::default()
    });
    let is_by_rounds = base.resampling.is_by_rounds();
    match &base.statistic.body {
        Body::Exact(_) => return only(Note::Exact, point),
        _ if conditions.is_taking_turns && !is_by_rounds => return only(Note::OneTurn, None),
        // Also of three rounds of which one has no audit.
        Body::Count(_) if [base, other].iter().any(|figure| figure.count_as_share().is_none()) => {
            return only(Note::ThisEvent, None);
        }
        Body::PerRound { .. } if !(base.has_intervals() && other.has_intervals()) => {
            return only(one.note.unwrap_or(Note::OncePerRun), point);
        }
        _ if one.is_censored || two.is_censored => return only(Note::Censored, None),
        _ => {}
    }
    if let Some(note @ (Note::ArmsFailDifferently | Note::NoContext)) = conditions.withheld {
        return only(note, None);
    }
    let doubt = base.doubt().or_else(|| other.doubt());
    if doubt == Some(Note::ShortWindow) {
        let is_share = matches!(base.content, Content::Share { .. });
        return only(Note::ShortWindow, point.filter(|_| !is_share && !conditions.is_part));
    }
    let compared = match (&base.statistic.body, &other.statistic.body) {
        (Body::Share { .. }, _) | (Body::Count(_), _) => share_contrast::compared(base, other, conditions),
        (Body::PerRound { values: a, .. }, Body::PerRound { values: b, .. })
            if recovery::are_recoveries(a, b) =>
        {
            recovery::compared(a, b, conditions.margin)
        }
        _ => drawn(base, other, conditions),
    };
    let Some((mut contrast, evidence)) = compared else {
        let is_unended =
            [base, other].iter().any(|figure| figure.replicates().iter().any(|x| x.is_infinite()));
        return only(if is_unended { Note::Censored } else { Note::TooFewToJudge }, None);
    };
    let is_coupled = base.is_coupled() || other.is_coupled();
    let is_nominal = base.statistic.is_nominal || other.statistic.is_nominal;
    let mark = if is_coupled { Some(Note::Queue) } else { is_nominal.then_some(Note::Nominal) };
    for measured in contrast.ratio.iter_mut().chain(&mut contrast.difference) {
        (measured.n, measured.note) = (n, mark);
    }
    let evidence = if let Some(note) = conditions.withheld.or(doubt) {
        contrast.note = Some(note);
        None
    } else {
        contrast.note = (conditions.depends_on_start && !is_by_rounds && conditions.known_start().is_none())
            .then_some(Note::WithinThisRun);
        Some(evidence)
    };
    Candidate { contrast, evidence }
}

fn bracket_of(figure: &Figure) -> Option<Bracket> {
    let Body::Bracket { low, high } = figure.statistic.body else { return None };
    Some(Bracket { held: low, failed: high })
}

/// Brackets differ where they are disjoint. No level comes of it: they are of no family.
fn brackets(base: &Bracket, other: &Bracket) -> Candidate {
    let ratio = Bracket::ratio(base, other);
    let contrast = Contrast {
        ratio: ratio.map(|interval| Measured { interval: Some(interval), ..Measured::default() }),
        finding: Some(if ratio.is_some() { Finding::Differs } else { Finding::Undecided }),
        ..Contrast::default()
    };
    Candidate { contrast, evidence: None }
}

/// Nothing is concluded.
fn only(note: Note, ratio: Option<Measured>) -> Candidate {
    Candidate { contrast: Contrast { ratio, note: Some(note), ..Contrast::default() }, evidence: None }
}

/// Kinds 4 and 5: by the resamples both arms share. `None` where no spread can be had.
fn drawn(base: &Figure, other: &Figure, conditions: &Conditions<'_>) -> Option<(Contrast, Evidence)> {
    let (a, b) = (estimate(base).value?, estimate(other).value?);
    let inflation = f64::midpoint(base.inflation()?, other.inflation()?).sqrt();
    let pairs = || base.replicates().iter().zip(other.replicates());
    if pairs().any(|(a, b)| a.is_infinite() || b.is_infinite()) {
        return None;
    }
    let is_positive = |x: f64| x.is_nan() || x > 0.0;
    // A margin in the row's unit, as of shares, is that of a difference.
    let is_of_ratio = !conditions.is_part && matches!(conditions.margin, Margin::Ratio(_));
    let has_ratio =
        is_of_ratio && a > 0.0 && b > 0.0 && pairs().all(|(a, b)| is_positive(*a) && is_positive(*b));
    // Aligned arms have the same units.
    let freedom = base.freedom();
    let scale = [base, other].map(|figure| figure.statistic.scale);
    let deviation = if has_ratio {
        base.resampling.deviation(pairs().map(|(a, b)| (b / a).ln()))
    } else {
        base.resampling.deviation(pairs().map(|(a, b)| b * scale[1] - a * scale[0]))
    };
    let drawn = Drawn {
        value: if has_ratio { (b / a).ln() } else { b - a },
        error: freedom.correction * deviation * inflation,
        nu: freedom.nu,
    };
    let margin = match conditions.margin {
        Margin::Ratio(ratio) if has_ratio => ratio.ln(),
        Margin::Ratio(ratio) => (ratio - 1.0) * a,
        Margin::Absolute(difference) => difference,
    };
    let is_one_start = conditions.depends_on_start && !base.resampling.is_by_rounds();
    Some(match conditions.known_start().filter(|_| is_one_start && has_ratio) {
        Some(start) => concluded(&with_start(&drawn, start), has_ratio, margin, false),
        None => concluded(&drawn, has_ratio, margin, is_one_start),
    })
}
