//! What a change cost before it was deployed: builds, repeated, and what they made.

use std::collections::BTreeMap;

use model::Window;
use model::glossary::Term;
use record::{Arm, Better, Build, StepPlan};

use super::Breakdown;
use crate::argument::{Argument, Parameter};
use crate::draft::{Card, Draft};
use crate::inference::{Body, Frame, Once, Statistic};
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Unit};
use crate::measures::TIME_TO_FULLY_SERVED;
use crate::selection::{Selection, phase_of};

/// The window of rows whose samples are builds.
const BUILDS: &str = "builds";

/// A row of builds.
struct BuildRow {
    term: Term,
    unit: Unit,
    comparison: Comparison,
    /// Its value in one build of an arm; `None` where a build does not have it.
    value: fn(&Arm, &Build) -> f64,
    /// Whether every build has the same one.
    is_exact: bool,
}

const ROWS: [BuildRow; 6] = [
    BuildRow {
        term: BUILD_TIME,
        unit: Unit::Time,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
        value: |_, build| build.seconds,
        is_exact: false,
    },
    BuildRow {
        term: REBUILT_CRATES,
        unit: Unit::Count,
        comparison: Comparison::Ratio(1.0),
        value: |_, build| build.crates.len() as f64,
        is_exact: true,
    },
    BuildRow {
        term: REBUILT_BYTES,
        unit: Unit::Bytes,
        comparison: Comparison::Unjudged,
        value: |_, build| build.bytes as f64,
        is_exact: true,
    },
    BuildRow {
        term: SHIPPED_BYTES,
        unit: Unit::Bytes,
        comparison: Comparison::Ratio(1.0),
        value: |_, build| build.programs.iter().map(|program| program.bytes).sum::<u64>() as f64,
        is_exact: true,
    },
    BuildRow {
        term: REPLACED_PROCESSES,
        unit: Unit::Count,
        comparison: Comparison::Ratio(1.0),
        value: |arm, build| replaced(arm, build) as f64,
        is_exact: true,
    },
    BuildRow {
        term: SELECTED_TESTS,
        unit: Unit::Count,
        comparison: Comparison::Ratio(1.0),
        value: |_, build| build.tests.len() as f64,
        is_exact: true,
    },
];

const fn term(id: &'static str, name: &'static str, unit: &'static str, meaning: &'static str) -> Term {
    Term { id, name, unit, better: Better::Lower, meaning }
}

const BUILD_TIME: Term = term(
    "build_time",
    "build",
    "s",
    "from an edit in one component to the last program that holds it, an incremental release build before the load; every build \
     is of another edit of the same lines",
);
const REBUILT_CRATES: Term =
    term("rebuilt_crates", "crates rebuilt", "", "crates that the edit made the compiler compile again");
const REBUILT_BYTES: Term = term(
    "rebuilt_bytes",
    "bytes rebuilt",
    "B",
    "bytes that compiler and linker wrote for the crates that were rebuilt",
);
const SHIPPED_BYTES: Term =
    term("shipped_bytes", "bytes shipped", "B", "size of the programs that the edit made new, each once");
const REPLACED_PROCESSES: Term =
    term("replaced", "processes replaced", "", "processes that run a program that the edit made new");
const SELECTED_TESTS: Term = term(
    "selected_tests",
    "tests selected",
    "",
    "crates of the new programs whose tests the edit selects, by the dependency graph",
);

const LEAD_TIME: Term = term(
    "lead_time",
    "lead time",
    "s",
    "mean build of a change and, in each round, from the start of its deploy to fully served",
);

/// Rows of builds, where a change was built.
pub(super) const DELIVERY: Breakdown = Breakdown {
    terms: &[
        BUILD_TIME,
        REBUILT_CRATES,
        REBUILT_BYTES,
        SHIPPED_BYTES,
        REPLACED_PROCESSES,
        SELECTED_TESTS,
        LEAD_TIME,
    ],
    drafts: |card| {
        let of_builds = ROWS.iter().filter_map(|row| draft(card, row));
        of_builds.chain(card.run.header.steps.iter().filter_map(|step| lead_time(card, step))).collect()
    },
    scores: |_| Vec::new(),
};

fn draft(card: &Card<'_>, row: &BuildRow) -> Option<Draft> {
    let header = &card.run.header;
    let builds = header.arms.iter().map(|arm| arm.builds.len()).max().filter(|builds| *builds > 0)?;
    let statistic = |arm: &Arm| {
        let mut values = arm.builds.iter().map(|build| (row.value)(arm, build));
        match row.is_exact {
            true => Statistic::exact(values.next_back()),
            false => Statistic::once(values.map(|value| Some(Once::of(value))).collect()),
        }
    };
    let statistics: BTreeMap<char, Statistic> =
        header.arms.iter().map(|arm| (arm.letter, statistic(arm))).collect();
    let frame = Frame {
        seed: header.seed,
        window: BUILDS.to_owned(),
        rounds: u32::try_from(builds).ok()?,
        seconds: 1,
    };
    Some(Draft {
        claim: Claim::Delivery,
        unit: row.unit,
        better: row.term.better,
        comparison: row.comparison,
        ..Draft::new(row.term.id.to_owned(), row.term.name.to_owned(), frame, statistics)
    })
}

/// From the edit to fully served: what was built once and deployed in each round.
fn lead_time(card: &Card<'_>, step: &StepPlan) -> Option<Draft> {
    let window = Window::Phase(phase_of(&card.run.header, step)?.name.clone());
    let argument = Argument::of_row(Parameter::Step, Some(step));
    let selection = |arm: char| Selection::new(card.run, arm, &window, &argument);
    let statistic = |arm: &Arm| {
        let mut statistic = (TIME_TO_FULLY_SERVED.statistic)(&selection(arm.letter));
        let seconds: f64 = arm.builds.iter().map(|build| build.seconds).sum();
        if let Body::PerRound { values, .. } = &mut statistic.body {
            for once in values.iter_mut().flatten() {
                once.value += seconds / arm.builds.len().max(1) as f64;
            }
        }
        (arm.letter, statistic)
    };
    let arms = &card.run.header.arms;
    let frame = selection(arms.first()?.letter).frame();
    Some(Draft {
        claim: Claim::Delivery,
        unit: Unit::Time,
        better: LEAD_TIME.better,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
        ..Draft::new(
            format!("{}_{}", LEAD_TIME.id, step.id),
            format!("from the edit to nothing but its behaviour, by {}", step.id),
            frame,
            arms.iter().map(statistic).collect(),
        )
    })
}

/// Copies of the processes that run a program which was made new. A process is the program of its one component, or the
/// monolith.
fn replaced(arm: &Arm, build: &Build) -> usize {
    let runs_it = |hosts: &[String]| {
        let is_made = |name: &str| build.programs.iter().any(|program| program.name == name);
        match hosts {
            [only] => is_made(only),
            _ => is_made("monolith"),
        }
    };
    arm.instances.iter().filter(|instance| runs_it(&instance.hosts)).count()
}
