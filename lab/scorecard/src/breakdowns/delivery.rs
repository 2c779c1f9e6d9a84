//! What a change cost before it was deployed: builds, repeated, and what they made.

use std::collections::{BTreeMap, BTreeSet};

use model::Window;
use model::glossary::Term;
use record::{Arm, Better, Build, Header, StepPlan};

use super::Breakdown;
use crate::argument::{Argument, Parameter};
use crate::draft::{Card, Draft};
use crate::inference::{Body, Frame, Once, Statistic};
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Unit};
use crate::measures::TIME_TO_FULLY_SERVED;
use crate::selection::{Selection, phase_of};

/// The window of rows whose samples are builds.
const BUILDS: &str = "builds";
/// The build that steps deploy which has the edit in it, as the record names it.
const CHANGED: &str = "changed";

/// A row of builds.
struct BuildRow {
    term: Term,
    unit: Unit,
    comparison: Comparison,
    /// Its value in one build of an arm; `None` where it is not known.
    value: fn(&Header, &Arm, &Build) -> Option<f64>,
    /// Whether every build has the same one.
    is_exact: bool,
}

const ROWS: [BuildRow; 7] = [
    BuildRow {
        term: BUILD_TIME,
        unit: Unit::Time,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
        value: |_, _, build| Some(build.seconds),
        is_exact: false,
    },
    BuildRow {
        term: REBUILT_CRATES,
        unit: Unit::Count,
        comparison: Comparison::Ratio(1.0),
        value: |_, _, build| Some(build.crates.len() as f64),
        is_exact: true,
    },
    BuildRow {
        term: REBUILT_BYTES,
        unit: Unit::Bytes,
        comparison: Comparison::Unjudged,
        value: |_, _, build| Some(build.bytes as f64),
        is_exact: true,
    },
    BuildRow {
        term: SHIPPED_BYTES,
        unit: Unit::Bytes,
        comparison: Comparison::Ratio(1.0),
        value: |_, _, build| Some(build.programs.iter().map(|program| program.bytes).sum::<u64>() as f64),
        is_exact: true,
    },
    BuildRow {
        term: REPLACED_PROCESSES,
        unit: Unit::Count,
        comparison: Comparison::Ratio(1.0),
        value: |header, arm, _| replaced(header, arm).map(|processes| processes as f64),
        is_exact: true,
    },
    BuildRow {
        term: SELECTED_TESTS,
        unit: Unit::Count,
        comparison: Comparison::Ratio(1.0),
        value: |_, _, build| Some(build.tests.len() as f64),
        is_exact: true,
    },
    BuildRow {
        term: TEST_TIME,
        unit: Unit::Time,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
        value: |_, _, build| build.test_seconds,
        is_exact: false,
    },
];

const fn term(id: &'static str, name: &'static str, unit: &'static str, meaning: &'static str) -> Term {
    Term { id, name, unit, better: Better::Lower, meaning }
}

const BUILD_TIME: Term = term(
    "build_time",
    "build",
    "s",
    "from an edit in one component to the last program that holds it: a release build of what the edit made stale, before the load; \
     builds are of the edit and of its reverse, in turns",
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
const REPLACED_PROCESSES: Term = term(
    "replaced",
    "processes replaced",
    "",
    "processes that hold a component in which the edit is deployed",
);
const SELECTED_TESTS: Term = term(
    "selected_tests",
    "tests selected",
    "",
    "crates of the new programs whose tests the edit selects, by the dependency graph",
);
const TEST_TIME: Term = term(
    "test_time",
    "tests",
    "s",
    "compiling again and running the tests that the edit selects, after the build, where that was asked for; tests of the edit and of \
     its reverse, in turns",
);

const LEAD_TIME: Term = term(
    "lead_time",
    "lead time",
    "s",
    "the mean build of the change plus, in each round, the time from the start of its deploy until it is fully served; builds and \
     deploys vary independently, and its interval is of both",
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
        TEST_TIME,
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
    let is_known = |arm: &Arm| arm.builds.iter().any(|build| (row.value)(header, arm, build).is_some());
    if !header.arms.iter().any(is_known) {
        return None;
    }
    let statistic = |arm: &Arm| {
        let mut values = arm.builds.iter().map(|build| (row.value)(header, arm, build));
        match row.is_exact {
            true => Statistic::exact(values.next_back().flatten()),
            false => Statistic::once(values.map(|value| value.map(Once::of)).collect()),
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

/// From the edit to fully served, of a change that one step deploys: where several do, the first is not the end of it.
fn lead_time(card: &Card<'_>, step: &StepPlan) -> Option<Draft> {
    let header = &card.run.header;
    let has_others = deploys_of_change(header).any(|deploy| deploy.number != step.number);
    if has_others || header.arms.iter().any(|arm| arm.builds.is_empty()) {
        return None;
    }
    let window = Window::Phase(phase_of(header, step)?.name.clone());
    let argument = Argument::of_row(Parameter::Step, Some(step));
    let selection = |arm: char| Selection::new(card.run, arm, &window, &argument);
    let statistic = |arm: &Arm| {
        let mut statistic = (TIME_TO_FULLY_SERVED.statistic)(&selection(arm.letter));
        let seconds: Vec<f64> = arm.builds.iter().map(|build| build.seconds).collect();
        if let Body::PerRound { values, .. } = &mut statistic.body {
            add_builds(values, &seconds);
        }
        // A build that counts in several rounds makes these too much alike.
        let is_repeated = seconds.len() < header.rounds as usize;
        (arm.letter, if is_repeated { statistic.nominal() } else { statistic })
    };
    let frame = selection(header.arms.first()?.letter).frame();
    Some(Draft {
        claim: Claim::Delivery,
        unit: Unit::Time,
        better: LEAD_TIME.better,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
        ..Draft::new(
            format!("{}_{}", LEAD_TIME.id, step.id),
            format!("from the edit until every answer has its behaviour, by {}", step.id),
            frame,
            header.arms.iter().map(statistic).collect(),
        )
    })
}

/// Adds builds, seconds, to the deploys of rounds, so that their mean grows by the mean build and their spread by that of
/// the builds: each round has builds of its own, `r`, `r + rounds`, and so on, or the builds in turn where there are fewer.
/// Which is in which round means nothing, since they were made before; the variances of what is independent add up.
fn add_builds(deploys: &mut [Option<Once>], builds: &[f64]) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let rounds = deploys.len();
    let of_round = |round: usize| -> Vec<f64> {
        let first = round % builds.len().max(1);
        builds.iter().copied().skip(first).step_by(rounds.max(1)).collect()
    };
    let in_rounds: Vec<Option<f64>> =
        deploys.iter().enumerate().map(|(round, deploy)| deploy.map(|_| mean(&of_round(round)))).collect();
    // Rounds that are missing, and builds that do not divide by rounds, weigh builds unequally.
    let counted: Vec<f64> = in_rounds.iter().copied().flatten().collect();
    let shift = mean(builds) - mean(&counted);
    for (once, build) in deploys.iter_mut().zip(in_rounds) {
        if let (Some(once), Some(build)) = (once, build) {
            once.value += build + shift;
        }
    }
}

/// The steps that deploy the change.
fn deploys_of_change(header: &Header) -> impl Iterator<Item = &StepPlan> {
    header.steps.iter().filter(|step| step.build.as_deref() == Some(CHANGED))
}

/// Processes that hold a component in which a step deploys the change; `None` where no step does.
fn replaced(header: &Header, arm: &Arm) -> Option<usize> {
    let changed: BTreeSet<&String> = deploys_of_change(header).flat_map(|step| &step.hits).collect();
    let holds_it = |hosts: &[String]| hosts.iter().any(|host| changed.contains(host));
    let processes = || arm.instances.iter().filter(|instance| holds_it(&instance.hosts));
    (!changed.is_empty()).then(|| processes().count())
}
