//! `idle_cpu`: what an arm costs at rest: registry, timers, scraping; `marginal_cpu`: what a journey adds to that.

use crate::inference::{Once, Statistic, Terms};
use crate::measure::{Claim, Comparison, Measure, Property, RESOURCE_MARGIN, Row, RowWindow, Unit};
use crate::selection::Selection;

/// CPU seconds a second at rest. Measured once for each arm, before its first load: to wait for it in every round takes long.
pub const IDLE_CPU: Measure = Measure {
    name: "idle_cpu",
    meaning: "CPU of the arm a second while its processes serve and nothing is asked of them: in the seconds before its load",
    unit: Unit::Time,
    properties: &[Property::DependsOnStart],
    statistic: |of| Statistic::once(of.by_round(|round| Some(Once::of(round.idle_ns_per_s()? / 1e9)))),
    rows: &[Row {
        id: "idle_cpu",
        name: "idle CPU",
        claim: Claim::Complexity,
        text: "CPU at rest, a second",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// CPU seconds that a journey adds.
pub const MARGINAL_CPU: Measure = Measure {
    name: "marginal_cpu",
    meaning: "CPU of all processes of the arm beyond what they spend at rest, over journeys finished",
    unit: Unit::Time,
    properties: &[Property::NeedsContext, Property::NeedsOpenLoop, Property::DependsOnStart],
    statistic: marginal,
    rows: &[Row {
        id: "marginal_cpu",
        name: "marginal CPU",
        claim: Claim::Latency,
        text: "CPU that a journey adds to CPU at rest",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

fn marginal(of: &Selection<'_>) -> Statistic {
    let n = of.by_unit(Selection::finished).into_iter().flatten().sum();
    of.quotient(n, 1e-9, |unit| {
        let at_rest = unit.base_ns_per_s()? * unit.length_s();
        Some(Terms { numerator: unit.cpu_ns()? as f64 - at_rest, denominator: unit.finished()? as f64 })
    })
}
