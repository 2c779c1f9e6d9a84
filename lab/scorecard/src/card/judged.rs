//! What is concluded from the rows of a run, all of them together: each figure with its interval, each arm against the
//! base arm, and findings of which at most one in twenty is false.

use std::collections::BTreeMap;

use model::outcome::is_better;
use model::{Run, format};
use record::{Contrast, Finding, Measured, Note, Score};

use super::failures::Failures;
use super::steadiness::Steadiness;
use crate::draft::Draft;
use crate::inference::{
    Body, Candidate, Conditions, Engine, Evidence, Figure, LEVEL, Margin, Statistic, align, contrast, decide,
    estimate,
};
use crate::lints;
use crate::measure::{Comparison, Unit};

/// A row with its figures, by arm; the base arm is the first.
struct Row {
    draft: Draft,
    figures: Vec<(char, Figure)>,
}

/// The rows of a run.
pub(super) fn scores(run: &Run, drafts: Vec<Draft>, engine: &Engine) -> Vec<Score> {
    let base = run.base().map(|arm| arm.letter);
    let rows: Vec<Row> = drafts.into_iter().map(|draft| Row::new(draft, base, engine)).collect();
    let mut failures = Failures::new(run, engine);
    let mut steadiness = Steadiness::new(run);
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut places: Vec<(usize, char)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        for (letter, candidate) in row.candidates(run, &rows, engine, &mut failures, &mut steadiness) {
            places.push((index, letter));
            candidates.push(candidate);
        }
    }
    decide_family(&rows, &places, &mut candidates);
    let mut contrasts: Vec<BTreeMap<char, Contrast>> = vec![BTreeMap::new(); rows.len()];
    for ((index, letter), candidate) in places.into_iter().zip(candidates) {
        contrasts[index].insert(letter, candidate.contrast);
    }
    rows.into_iter().zip(contrasts).map(|(row, contrasts)| row.into_score(contrasts)).collect()
}

/// What a margin that is a share is multiplied by in the row's unit: a count is one among its exposure.
fn exposure((_, base): &(char, Figure)) -> f64 {
    match &base.statistic().body {
        Body::Count(rounds) => rounds.iter().flatten().map(|round| round.trials).sum::<u64>() as f64,
        _ => 1.0,
    }
}

/// What bursts allow where nothing was bad: a sentence, with the arms it is of.
fn unseen(figures: &[(char, Figure)]) -> Vec<String> {
    let mut sentences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (letter, figure) in figures {
        let Some((seconds, share)) = figure.unseen_bad_seconds() else { continue };
        let share = format::value(Some(share), Unit::Share.symbol());
        let sentence = format!("no bad second of {seconds}; bursts may hurt up to {share} of the seconds");
        sentences.entry(sentence).or_default().push(letter.to_string());
    }
    sentences.into_iter().map(|(sentence, arms)| format!("{}: {sentence}", arms.join(" and "))).collect()
}

/// Shares have no ratio: what one event did in a run of too few rounds for an interval has a difference.
fn in_points(contrast: Contrast, base: &Figure, other: &Figure) -> Contrast {
    let (Some(ratio), Some(a), Some(b)) =
        (contrast.ratio, base.statistic().seen().value, other.statistic().seen().value)
    else {
        return contrast;
    };
    let difference = Measured { value: Some(b - a), interval: None, ..ratio };
    Contrast { ratio: None, difference: Some(difference), ..contrast }
}

/// Findings over the rows that count; a row in another guise takes the finding of the row it is, if its own figures bear it
/// out.
fn decide_family(rows: &[Row], places: &[(usize, char)], candidates: &mut [Candidate]) {
    let guise_of = |index: usize| rows[index].draft.comparison.guise_of();
    let (mut counted, mut at): (Vec<Candidate>, Vec<usize>) = (Vec::new(), Vec::new());
    for (place, candidate) in candidates.iter().enumerate() {
        if guise_of(places[place].0).is_none() {
            counted.push(candidate.clone());
            at.push(place);
        }
    }
    decide(&mut counted);
    for (place, candidate) in at.into_iter().zip(counted) {
        candidates[place] = candidate;
    }
    for place in 0..candidates.len() {
        let (index, letter) = places[place];
        let Some(id) = guise_of(index) else { continue };
        let is_it = |other: &(usize, char)| {
            let draft = &rows[other.0].draft;
            other.1 == letter && draft.id == id && draft.frame == rows[index].draft.frame
        };
        let Some(original) = places.iter().position(is_it) else { continue };
        let of = candidates[original].contrast;
        let is_borne_out = is_borne_out(
            of.finding,
            candidates[place].evidence.as_ref(),
            [(index, letter), places[original]].map(|(row, letter)| rows[row].is_better(letter)),
        );
        let own = &mut candidates[place];
        let contrast = &mut own.contrast;
        contrast.note = of.note.or(contrast.note);
        if is_borne_out {
            (contrast.finding, contrast.differs_alone) = (of.finding, of.differs_alone);
            contrast.could_see = of.could_see;
        } else {
            contrast.finding = own.evidence.map(|_| Finding::Undecided);
            contrast.differs_alone = own.evidence.is_some_and(|evidence| evidence.p <= LEVEL);
        }
    }
}

/// Whether a row in another guise may have the finding of the row it is: they are one only where what sets them apart, as
/// failures set good journeys apart from finished ones, is the same in both arms. Its own figures have to allow the finding,
/// and to lie on the same side. `are_better`: whether the arm is better in either row, where they say.
fn is_borne_out(finding: Option<Finding>, own: Option<&Evidence>, are_better: [Option<bool>; 2]) -> bool {
    match (finding, own) {
        (None | Some(Finding::Undecided), _) => true,
        (_, None) => false,
        (Some(Finding::Differs), Some(own)) => own.p <= LEVEL && are_better[0] == are_better[1],
        (Some(Finding::Equivalent), Some(own)) => own.is_within,
    }
}

impl Row {
    /// Whether an arm is better than the base arm by what was seen; `None` where neither is.
    fn is_better(&self, letter: char) -> Option<bool> {
        let (_, base) = self.figures.first()?;
        let (_, other) = self.figures.iter().find(|(arm, _)| *arm == letter)?;
        let [base, other] = [base, other].map(|figure| figure.statistic().seen().value);
        is_better(self.draft.better, base?, other?)
    }

    fn new(mut draft: Draft, base: Option<char>, engine: &Engine) -> Self {
        let resampling = engine.resampling(&draft.frame);
        let (letters, mut statistics): (Vec<char>, Vec<Statistic>) =
            std::mem::take(&mut draft.statistics).into_iter().unzip();
        align(&mut statistics);
        let figure = |(letter, statistic): (char, Statistic)| {
            let figure = Figure::new(statistic, &resampling);
            let figure = if draft.has_fault { figure.of_event() } else { figure };
            let figure = match draft.arrivals.get(&letter) {
                Some(arrivals) => figure.with_arrivals(arrivals),
                None => figure,
            };
            (letter, figure)
        };
        let mut figures: Vec<(char, Figure)> = letters.into_iter().zip(statistics).map(figure).collect();
        // Stable: the others stay in their order.
        figures.sort_by_key(|(letter, _)| Some(*letter) != base);
        Self { draft, figures }
    }

    /// Every other arm against the base arm; none where arms are not compared.
    fn candidates(
        &self,
        run: &Run,
        rows: &[Self],
        engine: &Engine,
        failures: &mut Failures<'_>,
        steadiness: &mut Steadiness<'_>,
    ) -> Vec<(char, Candidate)> {
        let Some(((base, first), others)) = self.figures.split_first() else { return Vec::new() };
        let Some(margin) = self.margin(rows) else { return Vec::new() };
        let draft = &self.draft;
        let is_disturbed = draft.idle_in.as_ref().is_some_and(|window| lints::is_disturbed(run, window));
        let mut compared = Vec::new();
        for (letter, figure) in others {
            let withheld = draft
                .withheld
                .or_else(|| failures.differ(draft, *base, *letter).then_some(Note::ArmsFailDifferently))
                .or_else(|| steadiness.is_lost(draft, *base, *letter).then_some(Note::NotSteady))
                .or_else(|| is_disturbed.then_some(Note::TooBusy))
                .or_else(|| draft.is_late.then_some(Note::LateSends));
            let conditions = Conditions {
                margin,
                depends_on_start: draft.depends_on_start,
                start: engine
                    .starts()
                    .of(draft.comparison.guise_of().unwrap_or(&draft.id), &draft.frame.window),
                is_taking_turns: run.header.way == "interleaved",
                is_part: draft.part_of.is_some(),
                withheld,
            };
            let mut candidate = contrast(first, figure, &conditions);
            if draft.unit == Unit::Share {
                candidate.contrast = in_points(candidate.contrast, first, figure);
            }
            compared.push((*letter, candidate));
        }
        compared
    }

    /// By how much arms may differ; `None` where they are not compared.
    fn margin(&self, rows: &[Self]) -> Option<Margin> {
        match self.draft.comparison {
            Comparison::Ratio(ratio) => Some(Margin::Ratio(ratio)),
            Comparison::Difference(difference) => Some(Margin::Absolute(difference)),
            Comparison::Part(share) => {
                let is_total = |row: &&Self| {
                    Some(row.draft.id.as_str()) == self.draft.part_of && row.draft.frame == self.draft.frame
                };
                let total = rows.iter().find(is_total)?.figures.first()?;
                Some(Margin::Absolute(share * total.1.statistic().seen().value?))
            }
            Comparison::SameAs(id) => {
                let original = |row: &&Self| row.draft.id == id && row.draft.frame == self.draft.frame;
                rows.iter().find(original).and_then(|row| match row.draft.comparison {
                    Comparison::Ratio(ratio) => Some(Margin::Ratio(ratio)),
                    // A share's margin, of what would be all.
                    Comparison::Difference(share) => Some(Margin::Ratio(1.0 + share)),
                    _ => None,
                })
            }
            Comparison::Unjudged => None,
        }
    }

    fn into_score(self, contrasts: BTreeMap<char, Contrast>) -> Score {
        let unit = self.draft.unit;
        let shown = |(letter, figure): &(char, Figure)| (*letter, unit.bounded(estimate(figure), 1.0));
        let arms: BTreeMap<char, Measured> = self.figures.iter().map(shown).collect();
        let notes = [self.draft.notes.clone(), unseen(&self.figures)].concat();
        let draft = self.draft;
        let first = contrasts.values().next().copied().unwrap_or_default();
        let finding = match (first.finding, first.note) {
            (Some(finding), _) => finding.word(),
            (None, Some(note)) => note.words(),
            (None, None) => "",
        };
        let margin = match draft.comparison {
            Comparison::Difference(share) => Some(share * self.figures.first().map_or(1.0, exposure)),
            Comparison::Ratio(margin) => Some(margin),
            Comparison::Part(_) | Comparison::SameAs(_) | Comparison::Unjudged => None,
        };
        Score {
            id: draft.id,
            claim: draft.claim.words().into(),
            measure: draft.text,
            unit: draft.unit.symbol().into(),
            better: draft.better,
            window: draft.frame.window,
            part_of: draft.part_of.map(str::to_owned),
            arms,
            margin,
            ratio: first.ratio,
            notes,
            context: draft.context.filter(|_| first.ratio.is_some()),
            finding: finding.into(),
            contrasts,
        }
    }
}
