//! When do others see a write, and is every write there?

use telemetry::names::{self, run};

use super::{max, of, quantile, rate, sum};
use crate::board::{Board, Panel, Row, Shape};

const TOPIC: &str = "{{arm}} {{destination}} at {{service}}";

pub(super) fn board() -> Board {
    let topic = format!("{}, {}, {}", names::ARM, names::SERVICE, names::DESTINATION);
    let late = |q| quantile(q, run::STALENESS, "", names::ARM);
    Board {
        name: "consistency",
        title: "consistency",
        description: "From a write that is acknowledged until every component shows it.",
        rows: vec![
            Row {
                title: "As users see it",
                repeat: None,
                width: 8,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "Acknowledged until visible",
                        "s",
                        "Until another component shows a write. Only scenarios that look for their writes have figures.",
                        vec![("{{arm}} p99", late(0.99)), ("{{arm}} p50", late(0.5))],
                    )
                    .seldom(),
                    Panel::lines(
                        "Reads that missed one's own write",
                        "percentunit",
                        "Over all reads that should have shown one.",
                        vec![("{{arm}}", format!("{} / {}", rate(run::STALE, "", names::ARM), rate(run::PROBES, "", names::ARM)))],
                    )
                    .seldom(),
                    Panel::lines(
                        "Audit after the load",
                        "short",
                        "Writes acknowledged, and of them found, lost, found twice, and references to what is gone.",
                        vec![("{{arm}} {{outcome}}", of(run::AUDITED, ""))],
                    )
                    .as_a(Shape::Numbers)
                    .seldom(),
                ],
            },
            Row {
                title: "Events on their way",
                repeat: None,
                width: 8,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "Produced until applied",
                        "s",
                        "The consistency window between databases. Within one there is none.",
                        vec![
                            (TOPIC, quantile(0.99, names::MESSAGING_DELIVERY_LAG, "", &topic)),
                            ("{{arm}} all p50", quantile(0.5, names::MESSAGING_DELIVERY_LAG, "", names::ARM)),
                        ],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Applying an event",
                        "s",
                        "99th percentile of the time its handler took.",
                        vec![(TOPIC, quantile(0.99, names::MESSAGING_PROCESS_DURATION, "", &topic))],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Applied",
                        "ops",
                        "Events, each second.",
                        vec![(TOPIC, rate(&format!("{}_count", names::MESSAGING_PROCESS_DURATION), "", &topic))],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Outbox",
                        "short",
                        "Events a publisher still keeps.",
                        vec![(TOPIC, sum(names::OUTBOX_ROWS, "", &topic))],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Oldest event in the outbox",
                        "s",
                        "It is trimmed twice a minute, after every consumer has applied it.",
                        vec![(TOPIC, max(names::OUTBOX_OLDEST_AGE, "", &topic))],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Given up on",
                        "ops",
                        "Events no handler could apply, each second.",
                        vec![(TOPIC, rate(names::DEAD_LETTERS, "", &topic))],
                    )
                    .of_nodes(),
                ],
            },
        ],
    }
}
