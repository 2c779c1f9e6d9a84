//! The longest wait for what can be had by so many at a time, with its name: usually, and under each fault. Who waits behind
//! a writer that a fault keeps busy is a bystander, even where nothing fails.

use std::collections::BTreeMap;

use model::format::value;
use model::glossary::Term;
use model::{SECOND, Window};
use record::{Better, Note, Score, StepPlan};

use super::Breakdown;
use crate::draft::Card;
use crate::expect::Argument;
use crate::inference::{Figure, Statistic, estimate};
use crate::measure::{Claim, Unit};
use crate::measures::longest_of;
use crate::selection::{Selection, name_of, phase_of};

/// `longest_wait` of the steady phase, and `longest_wait_<step>` for each fault in another.
pub(super) const WAITS: Breakdown = Breakdown {
    terms: &[Term {
        id: ID,
        name: "longest wait",
        unit: "s",
        better: Better::Lower,
        meaning: "longest wait that ended, for a writer, a reader, a connection, a slot or admission, with the name of the longest; \
                  over rounds the mean of each round's",
    }],
    drafts: |_| Vec::new(),
    scores: |card| {
        let faults = card.run.header.steps.iter().filter(|step| step.is_fault);
        let under_faults = faults.filter_map(|step| under_fault(card, step));
        usual(card).into_iter().chain(under_faults).collect()
    },
};

const ID: &str = "longest_wait";

fn usual(card: &Card<'_>) -> Option<Score> {
    let text = "longest wait for a writer, a reader, a connection or a slot".to_owned();
    row(card, ID.to_owned(), text, &card.steady, |selection| selection)
}

/// The row of one step, from its start to the end of its phase.
fn under_fault(card: &Card<'_>, step: &StepPlan) -> Option<Score> {
    let phase = phase_of(&card.run.header, step)?;
    let window = Window::Phase(phase.name.clone());
    if window == card.steady {
        return None;
    }
    let second = |ns: u64| u32::try_from(ns / SECOND).unwrap_or(0);
    let seconds = second(step.start_ns)..second(phase.start_ns + phase.length_ns);
    let text = format!("the same from {} to the end of its phase", step.id);
    row(card, format!("{ID}_{}", step.id), text, &window, |selection| selection.of_seconds(seconds.clone()))
}

fn row(
    card: &Card<'_>,
    id: String,
    text: String,
    window: &Window,
    part: impl Fn(Selection<'_>) -> Selection<'_>,
) -> Option<Score> {
    let run = card.run;
    let (mut arms, mut words) = (BTreeMap::new(), Vec::new());
    for arm in run.letters() {
        let all = Selection::new(run, arm, window, &Argument::None);
        // The name of the longest, and the figure that claims are about: over rounds their mean.
        let Some(longest) = part(all.clone()).longest_wait(|_| true) else { continue };
        if longest.us > 0 {
            let seconds = value(Some(longest.us as f64 / 1e6), Unit::Time.symbol());
            words.push(format!("{arm}: {} {seconds}", longest.words()));
        }
        let rounds = all.by_round(|round| longest_of(&part(round.clone()), |_| true));
        let statistic =
            if *window == card.steady { Statistic::once(rounds) } else { Statistic::event(rounds) };
        arms.insert(arm, estimate(&Figure::new(statistic, &card.engine.resampling(&all.frame()))));
    }
    if words.is_empty() {
        return None;
    }
    let finding = arms.values().find_map(|measured| measured.note).map_or("", Note::words);
    Some(Score {
        id,
        claim: Claim::Isolation.words().into(),
        measure: text,
        unit: Unit::Time.symbol().into(),
        better: Better::Lower,
        window: name_of(window),
        part_of: None,
        margin: None,
        contrasts: BTreeMap::new(),
        ratio: None,
        context: Some(words.join("; ")),
        notes: Vec::new(),
        finding: finding.into(),
        arms,
    })
}
