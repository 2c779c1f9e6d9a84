//! The scorecard: every trade-off as a row, with its samples, interval and direction of good. The rows are
//! declared by the [measures](crate::measures) and the [breakdowns](crate::breakdowns).

use std::collections::BTreeMap;

use model::{Run, SECOND, Window};
use record::{Measured, Score, StepPlan};

use crate::breakdowns::{self, BREAKDOWNS};
use crate::expect::Argument;
use crate::finding;
use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow};
use crate::measures::CATALOGUE;
use crate::selection::{Selection, phase_of};

/// What rows are made from.
pub(crate) struct Card<'a> {
    pub run: &'a Run,
    /// The phase undisturbed figures come from.
    pub steady: Window,
}

/// Every row that the run has figures for, claim by claim: rows of the run first, then those of its steps.
pub fn scorecard(run: &Run) -> Vec<Score> {
    let card = Card { run, steady: steady(run) };
    let mut scores = Vec::new();
    for (measure, row) in rows() {
        match row.window {
            RowWindow::Steady => scores.push(card.score(measure, row, &card.steady, None)),
            RowWindow::Whole => scores.push(card.score(measure, row, &Window::Whole, None)),
            RowWindow::EachStep => {}
        }
    }
    scores.extend(BREAKDOWNS.iter().flat_map(|breakdown| (breakdown.rows)(&card)));
    for step in &run.header.steps {
        let Some(phase) = phase_of(&run.header, step) else { continue };
        let window = Window::Phase(phase.name.clone());
        let of_steps = rows().filter(|(_, row)| row.window == RowWindow::EachStep);
        scores.extend(of_steps.map(|(measure, row)| card.score(measure, row, &window, Some(step))));
    }
    scores.retain(|score| score.arms.values().any(|measured| measured.value.is_some()));
    scores.sort_by_key(|score| Claim::ALL.iter().position(|claim| claim.words() == score.claim));
    scores
}

/// The rows of all measures, in the order of the catalogue.
pub(crate) fn rows() -> impl Iterator<Item = (&'static Measure, &'static Row)> {
    CATALOGUE.iter().flat_map(|measure| measure.rows.iter().map(|row| (*measure, row)))
}

/// The phase called `steady`, or the first measured one.
fn steady(run: &Run) -> Window {
    let mut measured = run.header.phases.iter().filter(|phase| phase.measure);
    let first = measured.clone().next();
    let named = measured.find(|phase| phase.name == "steady");
    named.or(first).map_or(Window::Whole, |phase| Window::Phase(phase.name.clone()))
}

impl Card<'_> {
    fn score(&self, measure: &Measure, row: &Row, window: &Window, step: Option<&StepPlan>) -> Score {
        let argument = Argument::of_row(measure.parameter, step);
        let selection = |arm: char| Selection::new(self.run, arm, window, &argument);
        let arms = self.arms(|arm| measure.measure(&selection(arm)));
        let ratio = match row.comparison {
            Comparison::Ratio | Comparison::HiddenRatio => {
                self.pair().and_then(|(a, b)| measure.ratio(&selection(a), &selection(b)))
            }
            Comparison::Intervals | Comparison::Unjudged => None,
        };
        let needs_context = row.comparison == Comparison::Ratio && measure.has(Property::NeedsContext);
        let context = needs_context.then(|| breakdowns::context(self.run, window)).flatten();
        let is_refused = needs_context && context.is_none();
        let finding = match row.comparison {
            Comparison::Ratio => finding::of_row(measure, &arms, ratio.as_ref(), is_refused),
            Comparison::HiddenRatio => finding::of_hidden_ratio(ratio),
            Comparison::Intervals => finding::of_intervals(&arms),
            Comparison::Unjudged => "",
        };
        let (id, text) = match step {
            Some(step) => (format!("{}_{}", row.id, step.id), row.text.replace("{step}", &step.id)),
            None => (row.id.to_owned(), row.text.to_owned()),
        };
        Score {
            id,
            claim: row.claim.words().into(),
            measure: text,
            unit: measure.unit.symbol().into(),
            better: measure.better,
            window: name_of(window),
            ratio: ratio.filter(|_| row.comparison == Comparison::Ratio && !is_refused),
            context,
            finding: finding.into(),
            arms,
        }
    }

    /// A figure of every arm.
    pub fn arms(&self, figure: impl Fn(char) -> Measured) -> BTreeMap<char, Measured> {
        self.run.letters().into_iter().map(|arm| (arm, figure(arm))).collect()
    }

    /// The first two arms: ratios are B over A.
    pub fn pair(&self) -> Option<(char, char)> {
        match self.run.letters()[..] {
            [a, b, ..] => Some((a, b)),
            _ => None,
        }
    }
}

/// How rows name their window.
pub(crate) fn name_of(window: &Window) -> String {
    match window {
        Window::Phase(name) => name.clone(),
        Window::Whole => "whole".into(),
        Window::Last(ns) => format!("last {}s", ns / SECOND),
        Window::Seconds(from, to) => format!("{from}s to {to}s"),
    }
}
