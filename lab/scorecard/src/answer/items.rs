//! One row of the scorecard in a few words: both figures, the effect with its interval, the finding.

use model::outcome::is_better;
use model::{Run, format};
use record::{Contrast, Finding, Measured, Note, Score};

use super::{Pair, trifle};
use crate::figure::{figure, is_of, never};
use crate::glossary::short_name;

/// A row in words.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// `p50 8.3ms vs 6.1ms (×1.36 [1.28, 1.44], differs)`, or where it is not decided its name and why.
    pub full: String,
    /// `p50 ×1.36 [1.28, 1.44]`, or both figures where there is no ratio, or its name where it is not decided.
    pub short: String,
    /// `differs in this run`, `this event`, `exact`; empty where it is not decided.
    pub finding: String,
    /// How the split stands in it.
    pub outcome: SplitOutcome,
    /// Whether the run was made to find it, as a search for capacity is.
    pub is_asked: bool,
    /// Which of several arms it is of.
    pub arm: Option<char>,
    /// Its place among the rows of an answer: 0 weighs most.
    pub rank: usize,
}

/// How the split stands in a row: by a finding, or by what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SplitOutcome {
    /// It is worse.
    Worse,
    /// It is better.
    Better,
    /// It is the same, or equivalent.
    Same,
    /// This run does not decide it.
    Open,
}

impl Item {
    /// The same of one of several arms.
    pub fn of_arm(self, letter: char) -> Self {
        Self { full: format!("{letter} {}", self.full), arm: Some(letter), ..self }
    }
}

/// The rows whose ids are, or begin with, `id`: a figure of each step. Of latencies only that of the steady phase.
pub(super) fn of(run: &Run, scores: &[&Score], pair: Pair<'_>, id: &str) -> Vec<Item> {
    let is_its = |score: &&&Score| {
        let is_of_a_step = |rest: &str| id.ends_with('_') || rest.starts_with('_');
        score.id == id || !id.starts_with("latency_") && score.id.strip_prefix(id).is_some_and(is_of_a_step)
    };
    let is_new = |score: &&&Score| !repeats_collateral_failures(scores, score, pair);
    scores.iter().filter(is_its).filter(is_new).filter_map(|score| item(run, score, pair)).collect()
}

/// Bystanders that are slowed because they fail, and no others are, are named as failures already.
fn repeats_collateral_failures(scores: &[&Score], score: &Score, pair: Pair<'_>) -> bool {
    let Some(step) = score.id.strip_prefix("bystander_slower_") else { return false };
    let id = format!("blast_radius_{step}");
    let Some(failures) = scores.iter().find(|score| score.id == id) else { return false };
    let shown = |score: &Score, letter: char| {
        let measured = score.arms.get(&letter).copied().unwrap_or_default();
        format::measured(&measured, &score.unit)
    };
    [pair.base.letter, pair.other.letter].iter().all(|arm| shown(failures, *arm) == shown(score, *arm))
}

fn item(run: &Run, score: &Score, pair: Pair<'_>) -> Option<Item> {
    let measured = |letter| score.arms.get(&letter).filter(|of| of.value.is_some() || of.interval.is_some());
    let (base, other) = (measured(pair.base.letter)?, measured(pair.other.letter)?);
    let contrast = score.contrasts.get(&pair.other.letter).copied().unwrap_or_default();
    let name = short_name(score);
    let is_asked = is_of("capacity", &score.id);
    let is_never = |of: &Measured| score.id == "recovery" && never(run, of).is_some();
    let is_never_in_both = is_never(base) && is_never(other);
    let is_unordered = is_unordered(base, other) && !is_never_in_both;
    if is_unordered || !is_decided(&contrast, base, other) {
        let why =
            if is_unordered { Note::Censored.sentence().to_owned() } else { reason(&contrast, &score.unit) };
        return Some(Item {
            full: format!("{name} ({why})"),
            short: name,
            finding: String::new(),
            outcome: SplitOutcome::Open,
            is_asked,
            arm: None,
            rank: 0,
        });
    }
    if trifle::is_trifle(score, &contrast, base, other) {
        return None;
    }
    let [figure_of_base, figure_of_other] =
        [pair.base.letter, pair.other.letter].map(|arm| figure(run, score, arm));
    let is_same =
        base.value == other.value && base.value.is_some() && (!base.is_censored || is_never_in_both);
    let figures = if is_same {
        format!("{figure_of_base} in both")
    } else {
        format!("{figure_of_other} vs {figure_of_base}")
    };
    let effect = format::contrast(&contrast, &score.unit);
    let known = [effect.clone(), limits(&contrast, base)];
    let known: Vec<&str> = known.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    let place = |of: &Measured| of.value.or_else(|| of.interval.map(|interval| interval.low));
    let better = match (place(base), place(other)) {
        (Some(a), Some(b)) if contrast.finding != Some(Finding::Equivalent) => is_better(score.better, a, b),
        _ => None,
    };
    let outcome = match better {
        Some(true) => SplitOutcome::Better,
        Some(false) => SplitOutcome::Worse,
        None => SplitOutcome::Same,
    };
    Some(Item {
        short: if outcome == SplitOutcome::Same {
            name.clone()
        } else {
            format!("{name} {}", in_short(&contrast, &figures, &score.unit))
        },
        finding: short_finding(&contrast, base),
        full: format!("{name} {figures}{known}"),
        outcome,
        is_asked,
        arm: None,
        rank: 0,
    })
}

/// The ratio with its interval; where there is none, or one event did it, both figures, with the interval of their
/// difference.
fn in_short(contrast: &Contrast, figures: &str, unit: &str) -> String {
    let is_exact = contrast.note == Some(Note::Exact);
    let is_event = contrast.note == Some(Note::ThisEvent);
    match (&contrast.ratio, &contrast.difference) {
        (Some(Measured { value: Some(ratio), .. }), _) if is_exact && ratio.fract() == 0.0 => {
            format!("×{ratio:.0}")
        }
        (Some(Measured { value: Some(_), .. }), _) if !is_event => format::contrast(contrast, unit),
        (_, Some(Measured { interval: Some(_), .. })) => {
            format!("{figures}, {}", format::contrast(contrast, unit))
        }
        _ => figures.to_owned(),
    }
}

/// What was seen once is what it is, unless the arms took turns; the rest needs a finding.
fn is_decided(contrast: &Contrast, base: &Measured, other: &Measured) -> bool {
    let is_seen = |of: &Measured| matches!(of.note, Some(Note::Exact | Note::ThisEvent | Note::OncePerRun));
    match contrast.finding {
        Some(Finding::Differs | Finding::Equivalent) => true,
        Some(Finding::Undecided) => false,
        None => contrast.note != Some(Note::OneTurn) && is_seen(base) && is_seen(other),
    }
}

/// Whether it is not known which of two values is larger, since one lies beyond what was looked at, and that is not beyond
/// the other one.
fn is_unordered(base: &Measured, other: &Measured) -> bool {
    match (base.is_censored, other.is_censored) {
        (false, false) => false,
        (true, true) => true,
        (true, false) => base.value <= other.value,
        (false, true) => other.value <= base.value,
    }
}

/// The finding with what limits it, or how often it was seen.
fn limits(contrast: &Contrast, base: &Measured) -> String {
    let finding = contrast.finding.map(|finding| finding.word().to_owned());
    let note =
        contrast.note.or(base.note).filter(|note| *note != Note::Exact).map(|note| note.words().to_owned());
    let parts: Vec<String> = finding.into_iter().chain(note).collect();
    parts.join(" ")
}

/// The same in a word or two.
fn short_finding(contrast: &Contrast, base: &Measured) -> String {
    match (contrast.finding, contrast.note.or(base.note)) {
        (Some(finding), Some(Note::WithinThisRun)) => format!("{} in this run", finding.word()),
        (Some(finding), _) => finding.word().to_owned(),
        (None, Some(note)) => note.words().to_owned(),
        (None, None) => String::new(),
    }
}

/// Why it is not decided.
fn reason(contrast: &Contrast, unit: &str) -> String {
    let seen = format::could_see(contrast, unit);
    match contrast.note {
        Some(note) => note.sentence().to_owned(),
        None if seen.is_empty() => "undecided".to_owned(),
        None => format!("undecided, could have seen {seen}"),
    }
}
