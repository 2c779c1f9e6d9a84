//! One row of the scorecard in a few words: both figures, the effect with its interval, the finding.

use model::format;
use model::outcome::is_better;
use record::{Contrast, Finding, Measured, Note, Score};

use super::Pair;
use crate::glossary;

/// A row in words.
pub(super) struct Item {
    /// `p50 8.3ms for 6.1ms (×1.36 [1.28, 1.44], differs)`, or where it is not decided its name and why.
    pub text: String,
    /// How the split stands in it.
    pub standing: Standing,
}

/// How the split stands in a row: by a finding, or by what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is worse.
    Worse,
    /// It is better.
    Better,
    /// It is the same, or equivalent.
    Same,
    /// This run does not decide it.
    Open,
}

/// The rows whose ids are, or begin with, `id`: a figure of each step. Of latencies only that of the steady phase.
pub(super) fn of(scores: &[&Score], pair: Pair<'_>, id: &str) -> Vec<Item> {
    let is_its = |score: &&&Score| {
        let is_of_a_step = |rest: &str| id.ends_with('_') || rest.starts_with('_');
        score.id == id || !id.starts_with("latency_") && score.id.strip_prefix(id).is_some_and(is_of_a_step)
    };
    scores.iter().filter(is_its).filter_map(|score| item(score, pair)).collect()
}

fn item(score: &Score, pair: Pair<'_>) -> Option<Item> {
    let measured = |letter| score.arms.get(&letter).filter(|of| of.value.is_some() || of.interval.is_some());
    let (base, other) = (measured(pair.base.letter)?, measured(pair.other.letter)?);
    let contrast = score.contrasts.get(&pair.other.letter).copied().unwrap_or_default();
    let name = name_of(score);
    if !is_decided(&contrast, base, other) {
        return Some(Item {
            text: format!("{name} ({})", reason(&contrast, &score.unit)),
            standing: Standing::Open,
        });
    }
    let figures = if base.value == other.value && base.value.is_some() && !base.is_censored {
        format!("{} in both", format::measured(base, &score.unit))
    } else {
        format!("{} for {}", format::measured(other, &score.unit), format::measured(base, &score.unit))
    };
    let known = [format::contrast(&contrast, &score.unit), limits(&contrast, base)];
    let known: Vec<&str> = known.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    let better = match (base.value, other.value) {
        (Some(a), Some(b)) if contrast.finding != Some(Finding::Equivalent) => is_better(score.better, a, b),
        _ => None,
    };
    let standing = match better {
        Some(true) => Standing::Better,
        Some(false) => Standing::Worse,
        None => Standing::Same,
    };
    Some(Item { text: format!("{name} {figures}{known}"), standing })
}

/// Its term, and the step it is of.
fn name_of(score: &Score) -> String {
    let Some(term) = glossary::term_of(&score.id) else { return score.measure.clone() };
    match score.id[term.id.len()..].trim_start_matches(['_', '-']) {
        "" => term.name.to_owned(),
        step => format!("{} {step}", term.name),
    }
}

/// What was seen once is what it is; the rest needs a finding.
fn is_decided(contrast: &Contrast, base: &Measured, other: &Measured) -> bool {
    let is_seen = |of: &Measured| matches!(of.note, Some(Note::Exact | Note::ThisEvent | Note::OncePerRun));
    match contrast.finding {
        Some(Finding::Differs | Finding::Equivalent) => true,
        Some(Finding::Undecided) => false,
        None => is_seen(base) && is_seen(other),
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

/// Why it is not decided.
fn reason(contrast: &Contrast, unit: &str) -> String {
    let seen = format::could_see(contrast, unit);
    match contrast.note {
        Some(note) => note.sentence().to_owned(),
        None if seen.is_empty() => "undecided".to_owned(),
        None => format!("undecided, could have seen {seen}"),
    }
}
