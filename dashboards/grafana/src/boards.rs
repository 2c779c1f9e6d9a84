//! The dashboards, and the few shapes their queries have.
//!
//! A panel is one entry in its board's table. Write its query with the functions below, from
//! constants of [`telemetry::names`]: a metric that is renamed takes its panels along.

mod consistency;
mod edges;
mod loadgen;
mod saturation;
mod services;
mod tradeoffs;

use telemetry::names::{self, run};

use crate::board::{Board, CHOSEN};

/// All of them; the first is Grafana's home.
pub fn all() -> Vec<Board> {
    vec![
        tradeoffs::board(),
        services::board(),
        edges::board(),
        saturation::board(),
        consistency::board(),
        loadgen::board(),
    ]
}

/// A metric of the chosen run and arms; `more` narrows it further: `kind="fault"`.
fn of(name: &str, more: &str) -> String {
    format!("{name}{{{}}}", and(CHOSEN, more))
}

/// How fast a counter rises, added up over all series that agree in `by`.
fn rate(name: &str, more: &str, by: &str) -> String {
    format!("sum by ({by}) (rate({}[$__rate_interval]))", of(name, more))
}

/// A gauge, added up over all series that agree in `by`.
fn sum(name: &str, more: &str, by: &str) -> String {
    format!("sum by ({by}) ({})", of(name, more))
}

/// The largest of all series that agree in `by`.
fn max(name: &str, more: &str, by: &str) -> String {
    format!("max by ({by}) ({})", of(name, more))
}

/// A quantile of a histogram, over all series that agree in `by`.
fn quantile(q: f64, name: &str, more: &str, by: &str) -> String {
    let comma = if by.is_empty() { "" } else { "," };
    let rate = rate(&format!("{name}_bucket"), more, &format!("{}{comma}{by}", names::LE));
    format!("histogram_quantile({q}, {rate})")
}

/// B over A: a query's value of the arm with letter B, over that of A.
fn b_over_a(query: impl Fn(&str) -> String) -> String {
    let of = |letter: &str| query(&format!("{}=\"{letter}\"", names::LETTER));
    format!("({}) / ignoring ({}) ({})", of("B"), names::ARM, of("A"))
}

/// Narrowings of a query, both of them; either may be empty.
fn and(one: &str, other: &str) -> String {
    let comma = if one.is_empty() || other.is_empty() { "" } else { "," };
    format!("{one}{comma}{other}")
}

/// Journeys that ended so, each second.
fn ended(outcome: &str, more: &str, by: &str) -> String {
    let which = and(&format!("{}=\"{outcome}\"", names::OUTCOME), more);
    rate(&format!("{}_count", run::DURATION), &which, by)
}
