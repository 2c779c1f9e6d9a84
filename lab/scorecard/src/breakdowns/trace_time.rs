//! Where the time of a journey goes, class by class, from the critical paths of traced requests that are known in every arm.

use std::collections::BTreeMap;

use model::glossary::Term;
use record::{Better, Class, Note};

use super::Breakdown;
use crate::draft::{Card, Draft};
use crate::expect::Argument;
use crate::inference::{Arrivals, Statistic, Terms};
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, PART_MARGIN, Unit};
use crate::selection::Selection;

/// `trace_total`, and `trace_<class>` for each class that took time.
pub(super) const TRACE_TIME: Breakdown = Breakdown {
    terms: &[
        Term {
            id: TOTAL,
            name: "traced",
            unit: "s",
            better: Better::Lower,
            meaning: "mean time of the traced requests whose traces are whole in every arm, split below by class",
        },
        Term {
            id: "trace",
            name: "on the critical path",
            unit: "s",
            better: Better::Lower,
            meaning: "mean per traced request; segments of the critical path fill a request exactly",
        },
    ],
    drafts,
    scores: |_| Vec::new(),
};

/// The row the classes add up to.
const TOTAL: &str = "trace_total";

fn drafts(card: &Card<'_>) -> Vec<Draft> {
    let run = card.run;
    let letters = run.letters();
    let selections: Vec<Selection<'_>> =
        letters.iter().map(|arm| Selection::new(run, *arm, &card.steady, &Argument::None)).collect();
    let Some(frame) = selections.first().map(Selection::frame) else { return Vec::new() };
    let arrivals: BTreeMap<char, Vec<Option<Arrivals>>> = selections
        .iter()
        .map(|selection| (selection.arm, selection.by_unit(|unit| Some(unit.arrivals()))))
        .collect();
    let is_incomplete = letters.iter().any(|arm| run.spans_lost(*arm) > 0);
    let draft = |id: String, text: String, ns: &dyn Fn(&BTreeMap<Class, u64>) -> u64| {
        let statistics = selections.iter().map(|selection| (selection.arm, mean(selection, ns))).collect();
        Draft {
            claim: Claim::Latency,
            unit: Unit::Time,
            better: Better::Lower,
            depends_on_start: true,
            steady_in: Some(card.steady.clone()),
            withheld: is_incomplete.then_some(Note::SpansLost),
            idle_in: Some(card.steady.clone()),
            arrivals: arrivals.clone(),
            ..Draft::new(id, text, frame.clone(), statistics)
        }
    };
    let total = Draft {
        comparison: Comparison::Ratio(LATENCY_MARGIN),
        ..draft(TOTAL.into(), "time of a traced request, mean".into(), &|classes| classes.values().sum())
    };
    let class = |class: &Class| Draft {
        comparison: Comparison::Part(PART_MARGIN),
        part_of: Some(TOTAL),
        ..draft(format!("trace_{}", class.name()), class.words().to_owned(), &|classes| {
            classes.get(class).copied().unwrap_or(0)
        })
    };
    let took_time = |draft: &Draft| {
        let mut arms = draft.statistics.values();
        arms.any(|statistic| statistic.seen().value.is_some_and(|seconds| seconds > 0.0))
    };
    std::iter::once(total).chain(Class::ALL.iter().map(class).filter(took_time)).collect()
}

/// Mean over the traced requests of each unit.
fn mean(selection: &Selection<'_>, ns: &dyn Fn(&BTreeMap<Class, u64>) -> u64) -> Statistic {
    let units = selection.by_unit(|unit| {
        let (requests, classes) = unit.traced()?;
        Some(Terms { numerator: ns(&classes) as f64, denominator: requests as f64 })
    });
    let n = units.iter().flatten().map(|unit| unit.denominator as u64).sum();
    Statistic::quotient(units, n, 1e-9).nominal()
}
