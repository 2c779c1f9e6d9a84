//! Each edge: who calls whom, how often in vain, and how much is asked again.

use telemetry::names::{self, run};

use super::{max, quantile, rate, sum};
use crate::board::{Board, Panel, Row, Shape};

const EDGE: &str = "{{arm}} {{service}} → {{peer_service}}";

pub(super) fn board() -> Board {
    let by = format!("{}, {}, {}", names::ARM, names::SERVICE, names::PEER_SERVICE);
    let run_sum = |name| sum(name, "", &by);
    Board {
        name: "edges",
        title: "edges",
        description: "Calls between processes. An edge inside a process is a function call, and not here.",
        rows: vec![
            Row {
                title: "What crosses",
                repeat: None,
                width: 12,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "Tries",
                        "reqps",
                        "Each second, retries included.",
                        vec![(EDGE, run_sum(run::EDGE_TRIES))],
                    ),
                    Panel::lines(
                        "p99 of the last second",
                        "s",
                        "Of tries, as their caller sees them; of the slowest copy of the caller.",
                        vec![(EDGE, max(run::EDGE_P99, "", &by))],
                    ),
                    Panel::lines(
                        "Failed tries",
                        "reqps",
                        "Each second.",
                        vec![(EDGE, run_sum(run::EDGE_ERRORS))],
                    ),
                    Panel::lines(
                        "Amplification",
                        "prefix:×",
                        "Tries over logical calls: 1 where nothing is asked again.",
                        vec![(
                            EDGE,
                            format!("{} / ({} > 0)", run_sum(run::EDGE_TRIES), run_sum(run::EDGE_CALLS)),
                        )],
                    ),
                    Panel::lines(
                        "Waiting",
                        "short",
                        "Calls that wait for a connection or a place.",
                        vec![(EDGE, run_sum(run::EDGE_QUEUE))],
                    ),
                    Panel::lines(
                        "Breakers",
                        "short",
                        "0 closed, 1 half-open, 2 open; the worst of the caller's copies.",
                        vec![(EDGE, max(run::EDGE_BREAKER, "", &by))],
                    )
                    .as_a(Shape::States),
                ],
            },
            Row {
                title: "As the callers count it",
                repeat: None,
                width: 12,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "Duration of tries",
                        "s",
                        "99th percentile over the rate's window.",
                        vec![(EDGE, quantile(0.99, names::HTTP_CLIENT_REQUEST_DURATION, "", &by))],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Retries",
                        "reqps",
                        "Tries beyond the first, each second.",
                        vec![(EDGE, rate(names::RETRIES, "", &by))],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Refused before they were tried",
                        "reqps",
                        "Each second: bulkhead, adaptive_concurrency, throttle, circuit_open, budget, pool_full, fallback.",
                        vec![(
                            "{{arm}} {{service}} → {{peer_service}} {{kind}}",
                            rate(
                                names::REQUESTS_SHED,
                                &format!("{}!=\"\"", names::PEER_SERVICE),
                                &format!("{by}, {}", names::KIND),
                            ),
                        )],
                    )
                    .of_nodes()
                    .seldom(),
                    Panel::lines(
                        "Calls a fault hit",
                        "reqps",
                        "Each second, by kind of fault.",
                        vec![(
                            "{{arm}} {{service}} → {{peer_service}} {{kind}}",
                            rate(names::FAULT_INJECTED, "", &format!("{by}, {}", names::KIND)),
                        )],
                    )
                    .of_nodes()
                    .seldom(),
                    Panel::lines(
                        "Adaptive limit",
                        "short",
                        "Calls that may be under way, as latency allows; of all copies of the caller together.",
                        vec![(EDGE, sum(names::CONCURRENCY_LIMIT, "", &by))],
                    )
                    .of_nodes()
                    .seldom(),
                    Panel::lines(
                        "Hedged calls",
                        "reqps",
                        "Each second, by the try that answered: first, second or neither; abandoned, where the caller left.",
                        vec![(
                            "{{arm}} {{service}} → {{peer_service}} {{outcome}}",
                            rate(names::HEDGES, "", &format!("{by}, {}", names::OUTCOME)),
                        )],
                    )
                    .of_nodes()
                    .seldom(),
                ],
            },
        ],
    }
}
