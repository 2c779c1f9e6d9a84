//! Whether traces alone name what a fault hits. What grew most between the steady phase and the fault's is taken for
//! the culprit; right is what touches a component that the fault hits.

use std::collections::BTreeMap;

use model::Window;
use model::format::{YES_OR_NO, value};
use model::glossary::Term;
use record::{Better, Class, Measured, Note, Score, StepPlan};

use super::Breakdown;
use super::trace_sums::{Part, TraceSums};
use crate::draft::Card;
use crate::measure::{Claim, Unit};
use crate::selection::{name_of, phase_of};

/// Growth, as a share of the whole mean, below which no place is named.
const MIN_GROWTH: f64 = 0.1;

/// `culprit_<step>` for each fault.
pub(super) const CULPRIT: Breakdown = Breakdown {
    terms: &[Term {
        id: "culprit",
        name: "culprit found",
        unit: YES_OR_NO,
        better: Better::Higher,
        meaning: "yes where what grew most on the critical path, against the steady phase, touches what the fault hits",
    }],
    drafts: |_| Vec::new(),
    scores: |card| card.run.header.steps.iter().filter_map(|step| row(card, step)).collect(),
};

/// The row of one step; `None` where it hits nothing, or no trace was kept.
fn row(card: &Card<'_>, step: &StepPlan) -> Option<Score> {
    let run = card.run;
    let during = Window::Phase(phase_of(&run.header, step)?.name.clone());
    if !step.is_fault || step.hits.is_empty() || during == card.steady {
        return None;
    }
    let mut arms = BTreeMap::new();
    let mut words = Vec::new();
    for arm in run.letters().into_iter().filter(|arm| !step.not_applicable.contains_key(arm)) {
        let before = TraceSums::of(run, arm, &card.steady);
        let after = TraceSums::of(run, arm, &during);
        if before.n == 0 || after.n == 0 {
            continue;
        }
        let is_right = match grown_most(&before, &after) {
            Some((growth, (place, class))) => {
                let growth = value(Some(growth / 1e9), Unit::Time.symbol());
                words.push(format!("{arm}: {place} {} +{growth}", class.words()));
                place.split("->").any(|end| step.hits.iter().any(|hit| hit == end))
            }
            None => {
                words.push(format!("{arm}: nothing grew by a tenth"));
                false
            }
        };
        let value = Some(f64::from(u8::from(is_right)));
        arms.insert(arm, Measured { value, n: after.n, note: Some(Note::ThisEvent), ..Measured::default() });
    }
    if arms.is_empty() {
        return None;
    }
    Some(Score {
        id: format!("culprit_{}", step.id),
        claim: Claim::Monitoring.words().into(),
        measure: format!("culprit of {} found from traces alone", step.id),
        unit: YES_OR_NO.into(),
        better: Better::Higher,
        window: name_of(&during),
        part_of: None,
        notes: Vec::new(),
        margin: None,
        contrasts: BTreeMap::new(),
        ratio: None,
        context: Some(words.join("; ")),
        finding: Note::ThisEvent.words().into(),
        arms,
    })
}

/// The part that grew most, if by enough, with its growth in ns.
fn grown_most<'a>(before: &TraceSums<'a>, after: &TraceSums<'a>) -> Option<(f64, Part<'a>)> {
    let known = before.means();
    let grown = |(part, mean): (Part<'a>, f64)| {
        let growth = mean - known.get(&part).copied().unwrap_or(0.0);
        // A client that looks again and again waits for the culprit, and is none.
        (growth > 0.0 && part.1 != Class::Client).then_some((growth, part))
    };
    let most = after.means().into_iter().filter_map(grown).max_by(|a, b| a.0.total_cmp(&b.0));
    most.filter(|(growth, _)| *growth > MIN_GROWTH * known.values().sum::<f64>())
}
