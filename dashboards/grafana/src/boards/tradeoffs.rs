//! What splitting costs and what it buys: one arm against the other.

use telemetry::names::{self, run};

use super::{and, b_over_a, ended, max, of, quantile, rate, sum};
use crate::board::{Board, Panel, Row, Shape};

const ARM: &str = names::ARM;
const BY_ARM: &str = "{{arm}}";
const TIMES: &str = "B over A";
/// Grafana has no unit for a ratio.
const RATIO: &str = "prefix:×";

/// What is not in an arm has no letter: the generator, the lab itself.
fn in_arms() -> String {
    format!("{}!=\"\"", names::LETTER)
}

/// CPU of an arm's processes over the journeys it was sent, seconds.
fn cpu_per_journey(more: &str) -> String {
    format!("{} / {}", rate(run::CPU, &and(&in_arms(), more), ARM), rate(run::SENT, more, ARM))
}

fn failed(more: &str) -> String {
    format!("{} / {}", ended("failed", more, ARM), rate(run::OFFERED, more, ARM))
}

fn memory(more: &str) -> String {
    sum(run::MEMORY, &and(&in_arms(), more), ARM)
}

fn latency(q: f64) -> impl Fn(&str) -> String {
    move |more| quantile(q, run::DURATION, &and(&format!("{}=\"ok\"", names::OUTCOME), more), ARM)
}

fn good(more: &str) -> String {
    rate(run::GOOD, more, ARM)
}

/// Each arm's figure, and B's over A's.
fn compared(
    title: &'static str,
    unit: &'static str,
    description: &'static str,
    query: impl Fn(&str) -> String,
) -> Panel {
    let queries = vec![(BY_ARM, query("")), (TIMES, b_over_a(&query))];
    Panel::lines(title, unit, description, queries).as_a(Shape::Numbers).then_in(RATIO)
}

pub(super) fn board() -> Board {
    let outcome = format!("{}=\"ok\"", names::OUTCOME);
    let ok = |q| quantile(q, run::DURATION, &outcome, ARM);
    Board {
        name: "tradeoffs",
        title: "trade-offs",
        description: "One arm against the other, as their users and their machine see them.",
        rows: vec![
            Row {
                title: "Now",
                repeat: None,
                width: 4,
                height: 5,
                panels: vec![
                    compared("Goodput", "reqps", "Journeys answered ok and in time, each second.", good),
                    compared("p50", "s", "Median of ok journeys, from when they were due.", latency(0.5)),
                    compared(
                        "p99",
                        "s",
                        "99th percentile of ok journeys, from when they were due.",
                        latency(0.99),
                    ),
                    Panel::lines(
                        "Failed",
                        "percentunit",
                        "Failed journeys over those offered.",
                        vec![(BY_ARM, failed(""))],
                    )
                    .as_a(Shape::Numbers),
                    compared(
                        "CPU per journey",
                        "s",
                        "CPU of all processes of an arm, over journeys sent.",
                        cpu_per_journey,
                    ),
                    compared("Memory", "bytes", "Proportional set size of all processes of an arm.", memory),
                ],
            },
            Row {
                title: "What happened when",
                repeat: None,
                width: 12,
                height: 6,
                panels: vec![
                    Panel::lines(
                        "Phases",
                        "bool",
                        "The phase each arm is in.",
                        vec![(
                            "{{arm}} {{phase}}",
                            max(run::PHASE_ACTIVE, "", &format!("{ARM}, {}", names::PHASE)),
                        )],
                    )
                    .as_a(Shape::States),
                    Panel::lines(
                        "Faults and actions",
                        "bool",
                        "Steps of the scenario while they act, in the arms they act on.",
                        vec![(
                            "{{arm}} {{step}}",
                            max(run::STEP_ACTIVE, "", &format!("{ARM}, {}", names::STEP)),
                        )],
                    )
                    .as_a(Shape::States)
                    .seldom(),
                ],
            },
            Row {
                title: "As users see it",
                repeat: None,
                width: 12,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "Latency of ok journeys",
                        "s",
                        "From when an arrival was due, so that a stall cannot hide. The points are traces: follow one.",
                        vec![
                            ("{{arm}} p99", ok(0.99)),
                            ("{{arm}} p50", ok(0.5)),
                            ("{{arm}} p99.9", ok(0.999)),
                        ],
                    ),
                    Panel::lines(
                        "Goodput against offered",
                        "reqps",
                        "Journeys answered ok and in time, and arrivals due, each second.",
                        vec![("{{arm}} good", good("")), ("{{arm}} offered", rate(run::OFFERED, "", ARM))],
                    ),
                    Panel::lines(
                        "Failed journeys by cause",
                        "reqps",
                        "Each second: connect, timeout, reset, status_5xx, status_4xx, body, check.",
                        vec![(
                            "{{arm}} {{error_type}}",
                            rate(run::FAILED, "", &format!("{ARM}, {}", names::ERROR_TYPE)),
                        )],
                    )
                    .seldom(),
                    Panel::lines(
                        "p99 by journey",
                        "s",
                        "Of ok journeys: which of them pays.",
                        vec![(
                            "{{arm}} {{journey}}",
                            quantile(0.99, run::DURATION, &outcome, &format!("{ARM}, {}", names::JOURNEY)),
                        )],
                    ),
                ],
            },
            Row {
                title: "As the machine sees it",
                repeat: None,
                width: 12,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "CPU per journey",
                        "s",
                        "CPU of all processes of an arm, over journeys sent.",
                        vec![(BY_ARM, cpu_per_journey(""))],
                    ),
                    Panel::lines(
                        "Memory",
                        "bytes",
                        "Proportional set size of all processes of an arm.",
                        vec![(BY_ARM, memory(""))],
                    ),
                    Panel::lines(
                        "Processes that serve",
                        "short",
                        "A dead or paused process is missing.",
                        vec![(BY_ARM, sum(run::UP, &in_arms(), ARM))],
                    ),
                    Panel::lines(
                        "Restarts",
                        "short",
                        "Processes that were started again, so far.",
                        vec![("{{arm}} {{instance}}", of(run::RESTARTS, ""))],
                    ),
                ],
            },
        ],
    }
}
