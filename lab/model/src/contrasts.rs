//! An arm against the base arm in one row, in words: what every view writes in the arm's column.

use record::{Arm, Contrast, Finding, Measured, Note, Score};

use crate::format;
use crate::outcome::{is_b_better, is_better};
use crate::run::Run;

/// An arm against the base arm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgainstBase {
    /// Ratio or difference with its interval, `×2.52 [2.41, 2.63]`; empty where there is none.
    pub effect: String,
    /// What is concluded, or why nothing is.
    pub finding: String,
    /// Whether the finding holds within this run only: other starts of the same processes may differ by the margin.
    pub is_within_run: bool,
    /// Whether the arm is better than the base arm; `None` unless they differ.
    pub is_better: Option<bool>,
}

impl Run {
    /// The arm that the others are compared with: the first, unless another was asked for.
    pub fn base(&self) -> Option<&Arm> {
        let named = self.header.base.and_then(|letter| self.arm(letter));
        named.or_else(|| self.header.arms.first())
    }

    /// The arms that are compared with it, in their order.
    pub fn others(&self) -> Vec<&Arm> {
        let base = self.base().map(|arm| arm.letter);
        self.header.arms.iter().filter(|arm| Some(arm.letter) != base).collect()
    }

    /// Every other arm against the base arm in a row, by its letter.
    pub fn contrasts(&self, score: &Score) -> Vec<(char, AgainstBase)> {
        self.others().into_iter().map(|arm| (arm.letter, against_base(score, arm.letter))).collect()
    }
}

/// What a row has of an arm against the base arm, which is the one that no contrast is of; nothing of the base arm itself.
pub fn against_base(score: &Score, letter: char) -> AgainstBase {
    let Some((first, _)) = score.contrasts.first_key_value() else { return without_contrasts(score, letter) };
    let Some(contrast) = score.contrasts.get(&letter) else { return AgainstBase::default() };
    let finding = if letter == *first { score.finding.clone() } else { words(contrast).to_owned() };
    let place = |letter: char| score.arms.get(&letter).and_then(place_of);
    let base = score.arms.keys().find(|arm| !score.contrasts.contains_key(arm));
    let places = base.and_then(|base| place(*base)).zip(place(letter));
    let apart = places.filter(|_| contrast.finding == Some(Finding::Differs));
    AgainstBase {
        effect: format::contrast(contrast, &score.unit),
        finding,
        is_within_run: contrast.note == Some(Note::WithinThisRun)
            && contrast.finding == Some(Finding::Differs),
        is_better: apart.and_then(|(base, other)| is_better(score.better, base, other)),
    }
}

/// A row whose arms are not compared, or one of an older record, has the finding of its second arm.
fn without_contrasts(score: &Score, letter: char) -> AgainstBase {
    if score.arms.keys().nth(1) != Some(&letter) {
        return AgainstBase::default();
    }
    AgainstBase {
        effect: format::effect(score),
        finding: score.finding.clone(),
        is_within_run: false,
        is_better: is_b_better(score),
    }
}

fn words(contrast: &Contrast) -> &'static str {
    match (contrast.finding, contrast.note) {
        (Some(finding), _) => finding.word(),
        (None, Some(note)) => note.words(),
        (None, None) => "",
    }
}

/// Where a figure lies: its value, or where there is none, as of a bracket, the lower end of what bounds it. Of figures whose
/// intervals are apart these are in their order.
pub fn place_of(of: &Measured) -> Option<f64> {
    of.value.or_else(|| of.interval.map(|interval| interval.low))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use record::{Better, Header, Interval};

    use super::*;

    fn arm(letter: char) -> Arm {
        Arm { letter, name: letter.to_lowercase().to_string(), ..Arm::default() }
    }

    fn run(base: Option<char>) -> Run {
        Run::new(Header { arms: "ABC".chars().map(arm).collect(), base, ..Header::default() })
    }

    fn measured(value: f64) -> Measured {
        Measured { value: Some(value), n: 1, ..Measured::default() }
    }

    fn row(id: &str, values: [f64; 3], contrasts: BTreeMap<char, Contrast>) -> Score {
        let first = contrasts.values().next().copied().unwrap_or_default();
        Score {
            id: id.into(),
            claim: String::new(),
            measure: id.into(),
            unit: String::new(),
            better: Better::Lower,
            window: "whole".into(),
            part_of: None,
            arms: "ABC".chars().zip(values.map(measured)).collect(),
            margin: None,
            contrasts,
            ratio: None,
            notes: Vec::new(),
            context: None,
            finding: words(&first).into(),
        }
    }

    fn shown(run: &Run, score: &Score) -> Vec<String> {
        let of = |(arm, of): (char, AgainstBase)| format!("{arm} {} {}", of.effect, of.finding);
        run.contrasts(score).into_iter().map(of).collect()
    }

    #[test]
    fn every_other_arm_is_compared_and_not_the_second_alone() {
        let exact =
            |value| Contrast { ratio: Some(measured(value)), note: Some(Note::Exact), ..Contrast::default() };
        let score = row("databases", [1.0, 1.0, 5.0], BTreeMap::from([('B', exact(1.0)), ('C', exact(5.0))]));
        assert_eq!(shown(&run(None), &score), ["B ×1.00 exact", "C ×5.00 exact"]);
        assert_eq!(against_base(&score, 'A'), AgainstBase::default(), "the base arm stands against nothing");
    }

    #[test]
    fn the_base_arm_may_be_another_than_the_first() {
        let run = run(Some('C'));
        assert_eq!(run.base().map(|arm| arm.letter), Some('C'));
        assert_eq!(run.others().iter().map(|arm| arm.letter).collect::<String>(), "AB");
        let differs = Contrast { finding: Some(Finding::Differs), ..Contrast::default() };
        let undecided = Contrast { finding: Some(Finding::Undecided), ..Contrast::default() };
        let score = row("memory", [1.0, 4.0, 5.0], BTreeMap::from([('A', differs), ('B', undecided)]));
        let better: Vec<Option<bool>> =
            run.contrasts(&score).into_iter().map(|(_, of)| of.is_better).collect();
        assert_eq!(better, [Some(true), None], "one for five");
        assert_eq!(Run::default().contrasts(&score), []);
    }

    #[test]
    fn brackets_that_are_apart_have_a_better_one() {
        let differs = Contrast { finding: Some(Finding::Differs), ..Contrast::default() };
        let mut score =
            row("capacity", [0.0; 3], BTreeMap::from([('B', differs), ('C', Contrast::default())]));
        score.better = Better::Higher;
        let bracket =
            |low, high| Measured { interval: Some(Interval::new(low, high)), ..Measured::default() };
        score.arms.extend([('A', bracket(800.0, 1_000.0)), ('B', bracket(1_200.0, 1_400.0))]);
        assert_eq!(against_base(&score, 'B').is_better, Some(true));
    }
}
