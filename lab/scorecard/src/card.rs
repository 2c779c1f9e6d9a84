//! The scorecard: every trade-off as a row, with its samples, interval and direction of good. The rows are
//! declared by the [measures](crate::measures) and the [breakdowns](crate::breakdowns), as drafts; what is concluded from
//! all of them together is [`judged`]'s.

mod failures;
mod judged;
pub(crate) mod steadiness;

use std::collections::BTreeMap;

use model::{Run, Window};
use record::{Note, PhasePlan, Score, StepPlan};

use crate::breakdowns::{self, BREAKDOWNS};
use crate::draft::{Card, Draft};
use crate::expect::Argument;
use crate::figure::is_of;
use crate::inference::Engine;
use crate::lints;
use crate::measure::{Claim, Measure, Property, Row, RowWindow};
use crate::measures::CATALOGUE;
use crate::selection::{Selection, phase_of, steady};

/// Every row that the run has figures for, claim by claim: rows of the run first, then those of its steps. By how much two
/// starts of one program differ on this machine is not known.
pub fn scorecard(run: &Run) -> Vec<Score> {
    scorecard_with(run, &Engine::default())
}

/// The same, with resamples that claims have, too, and what is known of starts: findings of arms that ran side by side allow
/// for it.
pub fn scorecard_with(run: &Run, engine: &Engine) -> Vec<Score> {
    let card = Card { run, engine, steady: steady(run) };
    let mut drafts = Vec::new();
    for (measure, row) in rows() {
        match row.window {
            RowWindow::Steady | RowWindow::SteadyAndFaults => {
                drafts.push(card.draft(measure, row, &card.steady, None))
            }
            RowWindow::Whole => drafts.push(card.draft(measure, row, &Window::Whole, None)),
            RowWindow::EachStep | RowWindow::StepsAndOverloads => {}
        }
    }
    drafts.extend(BREAKDOWNS.iter().flat_map(|breakdown| (breakdown.drafts)(&card)));
    drafts.extend(card.fault_phases());
    drafts.extend(card.overloads());
    for step in &run.header.steps {
        let Some(phase) = phase_of(&run.header, step) else { continue };
        let window = Window::Phase(phase.name.clone());
        let of_steps = rows().filter(|(_, row)| row.window.is_of_steps());
        drafts.extend(of_steps.map(|(measure, row)| card.draft(measure, row, &window, Some(step))));
    }
    drafts.retain(Draft::has_data);
    let mut scores = judged::scores(run, drafts, engine);
    scores.extend(BREAKDOWNS.iter().flat_map(|breakdown| (breakdown.scores)(&card)));
    let is_search = scores.iter().any(is_capacity);
    // A search for capacity asks for it: its claim and its row come first.
    let is_asked = |score: &Score| is_search && score.claim == Claim::Scalability.words();
    let place = |score: &Score| Claim::ALL.iter().position(|claim| claim.words() == score.claim);
    scores.sort_by_key(|score| (!is_asked(score), place(score), !is_capacity(score)));
    scores
}

fn is_capacity(score: &Score) -> bool {
    is_of("capacity", &score.id)
}

/// The rows of all measures, in the order of the catalogue.
pub(crate) fn rows() -> impl Iterator<Item = (&'static Measure, &'static Row)> {
    CATALOGUE.iter().flat_map(|measure| measure.rows.iter().map(|row| (*measure, row)))
}

/// What a step hits, in words: `photo`, `feed or photo`.
fn hits_of(step: &StepPlan) -> String {
    match step.hits.as_slice() {
        [] => format!("what {} hits", step.id),
        [one] => one.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

impl Card<'_> {
    /// Rows of every other measured phase in which a fault acts.
    fn fault_phases(&self) -> Vec<Draft> {
        let header = &self.run.header;
        let mut drafts = Vec::new();
        for phase in header.phases.iter().filter(|phase| phase.measure) {
            let window = Window::Phase(phase.name.clone());
            if window == self.steady || !Selection::new(self.run, 'A', &window, &Argument::None).has_fault() {
                continue;
            }
            for (measure, row) in rows().filter(|(_, row)| row.window == RowWindow::SteadyAndFaults) {
                drafts.push(Draft {
                    id: format!("{}_{}", row.id, phase.name),
                    text: format!("{}, in {}", row.text, phase.name),
                    // What a fault does is no steady state.
                    steady_in: None,
                    ..self.draft(measure, row, &window, None)
                });
            }
        }
        drafts
    }

    /// Rows of every other measured phase that is overloaded on purpose: what happens there is one event.
    fn overloads(&self) -> Vec<Draft> {
        let phases = self.run.header.phases.iter();
        let phases = phases.filter(|phase| phase.measure && self.run.is_overloaded(phase));
        let of_phase = |phase: &PhasePlan| {
            let window = Window::Phase(phase.name.clone());
            let is_other = window != self.steady;
            let rows = rows().filter(move |(_, row)| is_other && row.window == RowWindow::StepsAndOverloads);
            let drafts = rows.map(|(measure, row)| {
                let draft = self.draft(measure, row, &window, None);
                Draft {
                    id: format!("{}_{}", row.id, phase.name),
                    text: row.text.replace("{step}", &phase.name),
                    steady_in: None,
                    statistics: draft
                        .statistics
                        .into_iter()
                        .map(|(arm, statistic)| (arm, statistic.as_event(&draft.frame)))
                        .collect(),
                    ..draft
                }
            });
            drafts.collect::<Vec<_>>()
        };
        phases.flat_map(of_phase).collect()
    }

    fn draft(&self, measure: &Measure, row: &Row, window: &Window, step: Option<&StepPlan>) -> Draft {
        let argument = Argument::of_row(measure.parameter, step);
        let selection = |arm: char| Selection::new(self.run, arm, window, &argument);
        let frame = selection('A').frame();
        let letters = || self.run.letters().into_iter();
        // What happens under a fault is one event; a row of the whole run has other phases beside it.
        let is_event = step.is_some() || *window != Window::Whole && selection('A').has_fault();
        let statistic = |arm: char| {
            let statistic = measure.of(&selection(arm));
            if is_event { statistic.as_event(&frame) } else { statistic }
        };
        let of_arm = |arm: char| {
            let notes = (measure.notes)(&selection(arm)).into_iter();
            notes.map(|note| format!("{arm}: {note}")).collect::<Vec<_>>()
        };
        let notes = letters().flat_map(of_arm).collect();
        let statistics: BTreeMap<char, _> = letters().map(|arm| (arm, statistic(arm))).collect();
        let needs_context = measure.has(Property::NeedsContext);
        let context = needs_context.then(|| breakdowns::context(self.run, window)).flatten();
        let withheld = (needs_context && context.is_none()).then_some(Note::NoContext);
        let is_late = |q| letters().any(|arm| lints::LatePercentile::of(&selection(arm), q).is_some());
        let (id, text) = match step {
            Some(step) => {
                let text = row.text.replace("{step}", &step.id).replace("{hits}", &hits_of(step));
                (format!("{}_{}", row.id, step.id), text)
            }
            None => (row.id.to_owned(), row.text.to_owned()),
        };
        Draft {
            id,
            claim: row.claim,
            text,
            unit: measure.unit,
            better: measure.better,
            part_of: None,
            comparison: row.comparison,
            depends_on_start: measure.has(Property::DependsOnStart),
            context,
            notes,
            withheld,
            latencies_of: measure.is_latency().then(|| window.clone()),
            is_late: measure.quantile.is_some_and(is_late),
            idle_in: measure.has(Property::NeedsIdleMachine).then(|| window.clone()),
            steady_in: measure.has(Property::DependsOnStart).then(|| window.clone()),
            has_fault: selection('A').has_fault(),
            arrivals: BTreeMap::new(),
            frame,
            statistics,
        }
    }
}
