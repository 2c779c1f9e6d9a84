//! Each component: rate, errors, duration, and what its work was worth.

use telemetry::names;

use super::{of, quantile, rate, sum};
use crate::board::{Board, Panel, Row, Shape};

const BY_ARM: &str = "{{arm}}";

pub(super) fn board() -> Board {
    let this = format!("{}=~\"$component\"", names::SERVICE);
    let served = format!("{}_count", names::HTTP_SERVER_REQUEST_DURATION);
    let status = names::HTTP_RESPONSE_STATUS_CODE;
    let rate_of = |more: &str, by: &str| rate(&served, &format!("{this}{more}"), by);
    let all = rate_of("", names::ARM);
    let broken = rate_of(&format!(",{}!=\"\"", names::ERROR_TYPE), names::ARM);
    let took = |q, by: &str| quantile(q, names::HTTP_SERVER_REQUEST_DURATION, &this, by);
    let lines =
        |title, unit, description, queries| Panel::lines(title, unit, description, queries).of_nodes();
    let panels = vec![
        lines(
            "Rate by status",
            "reqps",
            "Requests this component served, each second.",
            vec![(
                "{{arm}} {{http_response_status_code}}",
                rate_of("", &format!("{}, {status}", names::ARM)),
            )],
        ),
        lines(
            "Errors",
            "percentunit",
            "Share of requests that failed here: answered with a status of 500 or above that is not their client's own doing.",
            vec![(BY_ARM, format!("({broken} or 0 * {all}) / {all}"))],
        ),
        lines(
            "Duration",
            "s",
            "Of requests this component served, from its own clock.",
            vec![("{{arm}} p99", took(0.99, names::ARM)), ("{{arm}} p50", took(0.5, names::ARM))],
        ),
        lines(
            "p99 by route",
            "s",
            "Of requests this component served.",
            vec![("{{arm}} {{http_route}}", took(0.99, &format!("{}, {}", names::ARM, names::HTTP_ROUTE)))],
        ),
        lines(
            "Durations",
            "s",
            "How many requests took how long.",
            vec![(
                "{{le}}",
                format!(
                    "sum by ({}) (increase({}[$__rate_interval]))",
                    names::LE,
                    of(&format!("{}_bucket", names::HTTP_SERVER_REQUEST_DURATION), &this)
                ),
            )],
        )
        .as_a(Shape::Heat),
        lines(
            "Being served",
            "short",
            "Requests under way in this component.",
            vec![(BY_ARM, sum(names::HTTP_SERVER_ACTIVE_REQUESTS, &this, names::ARM))],
        ),
        lines(
            "Database p99",
            "s",
            "Of this component's statements, by what they do to which table.",
            vec![(
                "{{arm}} {{db_operation_name}} {{db_collection_name}}",
                quantile(
                    0.99,
                    names::DB_CLIENT_OPERATION_DURATION,
                    &this,
                    &format!("{}, {}, {}", names::ARM, names::DB_OPERATION_NAME, names::DB_COLLECTION_NAME),
                ),
            )],
        )
        .seldom(),
        lines(
            "Abandoned work",
            "percentunit",
            "Share of finished requests and calls whose caller had gone.",
            vec![(
                BY_ARM,
                format!(
                    "{} / {}",
                    rate(names::WORK_WASTED, &this, names::ARM),
                    rate(names::WORK_DONE, &this, names::ARM)
                ),
            )],
        )
        .seldom(),
        lines(
            "CPU by part",
            "short",
            "Cores this component keeps busy, by what for; scaled up from sampled polls.",
            vec![(
                "{{arm}} {{part}}",
                rate(names::COST_CPU, &this, &format!("{}, {}", names::ARM, names::PART)),
            )],
        )
        .seldom(),
    ];
    Board {
        name: "services",
        title: "services",
        description: "Each component by itself: how much it does, how well, for how long.",
        rows: vec![Row { title: "$component", repeat: Some("component"), width: 8, height: 7, panels }],
    }
}
