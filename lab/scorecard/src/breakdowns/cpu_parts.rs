//! Where the CPU of a journey goes, part by part, second by second; and the context without which a ratio of latencies or
//! CPU is not shown. Where the time goes is read from traces (`trace_time`), whose classes fill a journey exactly and on
//! every edge.

use std::collections::{BTreeMap, BTreeSet};

use model::format::value;
use model::glossary::Term;
use model::{INJECTED, Run, SECOND, Window};
use record::Better;

use super::Breakdown;
use crate::draft::{Card, Draft};
use crate::expect::Argument;
use crate::measure::{Claim, Comparison, PART_MARGIN, Unit};
use crate::measures::CPU_PER_JOURNEY;
use crate::selection::Selection;

/// `cpu_<part>` for each part.
pub(super) const CPU_PARTS: Breakdown = Breakdown {
    terms: &[Term {
        id: "cpu",
        name: "CPU part",
        unit: "s",
        better: Better::Lower,
        meaning: "CPU per journey of one part, from sampled polls and the threads' own clocks; the parts add up to the CPU \
                  per journey, but for injected delays, whose CPU is the lab's own and stands beside it",
    }],
    drafts,
    scores: |_| Vec::new(),
};

/// Parts that are the price of crossing a process boundary.
const CROSSING: [&str; 4] = ["encoding", "transport", "queueing", "waking"];
/// Parts that are the work itself.
const WORK: [&str; 2] = ["business", "database"];
/// The part that is read from sampled work of components: without it a ratio sits on nothing.
const SAMPLED: &str = "business";

/// CPU and hops of an arm over a window, from the units in which all of its processes were asked.
struct CpuBreakdown {
    /// CPU by part per journey, seconds.
    parts: BTreeMap<String, f64>,
    /// Requests on the wire per journey.
    hops: f64,
}

impl CpuBreakdown {
    /// `None` without a journey.
    fn of(run: &Run, window: &Window, arm: char) -> Option<Self> {
        let selection = Selection::new(run, arm, window, &Argument::None);
        let known = selection.by_unit(|unit| Some((unit.cpu_parts()?, unit.requests()?, unit.finished()?)));
        let (mut ns, mut requests, mut journeys) = (BTreeMap::<&str, u64>::new(), 0, 0);
        for (parts, sent, finished) in known.into_iter().flatten() {
            for (part, spent) in parts {
                *ns.entry(part).or_default() += spent;
            }
            (requests, journeys) = (requests + sent, journeys + finished);
        }
        let per_journey = |ns: u64| ns as f64 / SECOND as f64 / journeys as f64;
        (journeys > 0).then(|| Self {
            parts: ns.into_iter().map(|(part, ns)| (part.to_owned(), per_journey(ns))).collect(),
            hops: requests as f64 / journeys as f64,
        })
    }

    fn sum(&self, parts: &[&str]) -> f64 {
        parts.iter().filter_map(|part| self.parts.get(*part)).sum()
    }
}

/// Whether it is known where an arm's CPU went: without it a ratio has no meaning. Threads of databases are known by
/// name; the work of components only where it is sampled.
pub(crate) fn is_known(run: &Run, arm: char) -> bool {
    let spent = CpuBreakdown::of(run, &Window::Whole, arm);
    spent.is_some_and(|spent| spent.parts.get(SAMPLED).is_some_and(|seconds| *seconds > 0.0))
}

/// `A: work 0.41ms CPU, hop 0.12ms CPU x 5.1 hops` for each arm; `None` where it is not known of all.
pub(crate) fn context(run: &Run, window: &Window) -> Option<String> {
    let of_arm = |arm: &record::Arm| {
        let spent = CpuBreakdown::of(run, window, arm.letter)?;
        let hop = if spent.hops > 0.0 { spent.sum(&CROSSING) / spent.hops } else { 0.0 };
        let time = |seconds: f64| value(Some(seconds), Unit::Time.symbol());
        Some(format!(
            "{}: work {} CPU, hop {} CPU x {:.1} hops",
            arm.letter,
            time(spent.sum(&WORK)),
            time(hop),
            spent.hops
        ))
    };
    let texts: Option<Vec<String>> = run.header.arms.iter().map(of_arm).collect();
    Some(texts?.join("; "))
}

fn drafts(card: &Card<'_>) -> Vec<Draft> {
    let letters = card.run.letters();
    let selections: Vec<Selection<'_>> =
        letters.iter().map(|arm| Selection::new(card.run, *arm, &card.steady, &Argument::None)).collect();
    let Some(frame) = selections.first().map(Selection::frame) else { return Vec::new() };
    // A run in which nothing is injected has nothing to say of it.
    let names: BTreeSet<&str> = selections
        .iter()
        .flat_map(|selection| selection.by_unit(Selection::cpu_parts))
        .flatten()
        .flatten()
        .filter_map(|(part, ns)| (part != INJECTED || ns > 0).then_some(part))
        .collect();
    let draft = |part: &&str| {
        let ns = |unit: &Selection<'_>| Some(unit.cpu_parts()?.get(*part).copied().unwrap_or(0));
        let statistics =
            selections.iter().map(|selection| (selection.arm, selection.per_journey(1e-9, ns))).collect();
        Draft {
            claim: Claim::Latency,
            unit: Unit::Time,
            better: Better::Lower,
            part_of: (*part != INJECTED).then_some(TOTAL),
            comparison: Comparison::Part(PART_MARGIN),
            depends_on_start: true,
            steady_in: Some(card.steady.clone()),
            ..Draft::new(format!("cpu_{part}"), words_of(part).to_owned(), frame.clone(), statistics)
        }
    };
    names.iter().map(draft).collect()
}

/// How people call a part.
fn words_of(part: &str) -> &str {
    match part {
        "business" => "business logic",
        "waking" => "scheduler wake-up",
        "transport" => "network I/O",
        INJECTED => "CPU of injected delays per journey, not counted",
        other => other,
    }
}

/// The row the parts add up to.
const TOTAL: &str = CPU_PER_JOURNEY.name;
