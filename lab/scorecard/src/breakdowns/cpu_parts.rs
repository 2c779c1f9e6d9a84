//! Where the CPU of a journey goes, part by part, from the cost lines; and the context without which a ratio of
//! latencies or CPU is not shown. Where the time goes is read from traces (`trace_time`), whose classes fill a journey
//! exactly and on every edge.

use std::collections::BTreeMap;

use model::format::value;
use model::glossary::Term;
use model::{Run, SECOND, Window};
use record::{Better, Measured, Score};

use super::Breakdown;
use crate::card::{Card, name_of};
use crate::measure::{Claim, Unit};
use crate::value::plain;

/// `cpu_total`, and `cpu_<part>` for each part.
pub(super) const CPU_PARTS: Breakdown = Breakdown {
    terms: &[
        Term {
            id: "cpu_total",
            name: "CPU",
            unit: "s",
            better: Better::Lower,
            meaning: "CPU per journey over one phase, split below by the processes' own sampling",
        },
        Term {
            id: "cpu",
            name: "of it",
            unit: "s",
            better: Better::Lower,
            meaning: "CPU per journey of one part, from sampled polls, scaled to the total from /proc",
        },
    ],
    rows,
};

/// Parts that are the price of crossing a process boundary.
const CROSSING: [&str; 4] = ["encoding", "transport", "queueing", "waking"];
/// Parts that are the work itself.
const WORK: [&str; 2] = ["business", "database"];

/// CPU of an arm per journey, seconds.
pub(crate) struct CpuParts {
    /// By part.
    pub cpu: BTreeMap<String, f64>,
    total: f64,
    /// Journeys it is of.
    pub journeys: u64,
    hops: f64,
}

impl CpuParts {
    /// Those of an arm over the phases of a window; `None` without a journey.
    pub fn of(run: &Run, window: &Window, arm: char) -> Option<Self> {
        let mut cpu = BTreeMap::<String, f64>::new();
        let (mut journeys, mut total, mut requests) = (0, 0, 0.0);
        for cost in run.costs(arm, window) {
            journeys += cost.journeys;
            total += cost.cpu_total_ns;
            requests += cost.hops * cost.journeys as f64;
            for (part, ns) in &cost.cpu_parts_ns {
                *cpu.entry(part.clone()).or_default() += *ns as f64;
            }
        }
        if journeys == 0 {
            return None;
        }
        let per_journey = |ns: f64| ns / SECOND as f64 / journeys as f64;
        Some(Self {
            cpu: cpu.into_iter().map(|(part, ns)| (part, per_journey(ns))).collect(),
            total: per_journey(total as f64),
            journeys,
            hops: requests / journeys as f64,
        })
    }

    fn sum(&self, parts: &[&str]) -> f64 {
        parts.iter().filter_map(|part| self.cpu.get(*part)).sum()
    }
}

/// Whether it is known where an arm's CPU went: without it a ratio has no meaning. Threads of databases are known by
/// name; the work of components only where it is sampled.
pub(crate) fn is_known(run: &Run, arm: char) -> bool {
    let parts = CpuParts::of(run, &Window::Whole, arm);
    parts.is_some_and(|parts| parts.cpu.get("business").is_some_and(|seconds| *seconds > 0.0))
}

/// `A: work 0.41ms CPU, hop 0.12ms CPU x 5.1 hops` for each arm; `None` where it is not known of all.
pub(crate) fn context(run: &Run, window: &Window) -> Option<String> {
    let of_arm = |arm: &record::Arm| {
        let parts = CpuParts::of(run, window, arm.letter)?;
        let hop = if parts.hops > 0.0 { parts.sum(&CROSSING) / parts.hops } else { 0.0 };
        let time = |seconds: f64| value(Some(seconds), Unit::Time.symbol());
        Some(format!(
            "{}: work {} CPU, hop {} CPU x {:.1} hops",
            arm.letter,
            time(parts.sum(&WORK)),
            time(hop),
            parts.hops
        ))
    };
    let texts: Option<Vec<String>> = run.header.arms.iter().map(of_arm).collect();
    Some(texts?.join("; "))
}

fn rows(card: &Card<'_>) -> Vec<Score> {
    let parts: BTreeMap<char, Option<CpuParts>> =
        card.run.letters().into_iter().map(|arm| (arm, CpuParts::of(card.run, &card.steady, arm))).collect();
    let row = |id: String, text: String, seconds: &dyn Fn(&CpuParts) -> f64| {
        let arms = card.arms(|arm| {
            let of_arm = parts.get(&arm).and_then(Option::as_ref);
            of_arm.map_or_else(Measured::default, |parts| plain(Some(seconds(parts)), parts.journeys))
        });
        let difference = card.pair().and_then(|(a, b)| Some(arms.get(&b)?.value? - arms.get(&a)?.value?));
        Score {
            id,
            claim: Claim::Latency.words().into(),
            measure: text,
            unit: Unit::Time.symbol().into(),
            better: Better::Lower,
            window: name_of(&card.steady),
            ratio: None,
            context: None,
            finding: difference.map_or_else(String::new, signed),
            arms,
        }
    };
    let mut names: Vec<&String> = parts.values().flatten().flat_map(|parts| parts.cpu.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut scores =
        vec![row("cpu_total".into(), "CPU per journey, from /proc".into(), &|parts| parts.total)];
    scores.extend(names.into_iter().map(|part| {
        let seconds = |parts: &CpuParts| parts.cpu.get(part).copied().unwrap_or(0.0);
        row(format!("cpu_{part}"), format!("of it {part}"), &seconds)
    }));
    scores
}

/// A difference in seconds with its sign.
fn signed(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "+" };
    format!("{sign}{}", value(Some(seconds.abs()), Unit::Time.symbol()))
}
