//! Latency of all journeys, counted from when each was due: `p50(journey)`, `p95`, `p99`, `p999`. Failed ones, and those that
//! were dropped, lie above every value.

use crate::expect::Parameter;
use crate::inference::Statistic;
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;

/// The median.
pub const P50: Measure = Measure {
    name: "p50",
    meaning: "median latency of all journeys, counted from when the request was due; failed ones lie above every value",
    rows: &[row("latency_p50", "p50", "p50 of all journeys, counted from when the request was due")],
    quantile: Some(0.5),
    statistic: |of| latency(of, 0.5),
    ..LATENCY
};

/// The 90th percentile.
pub const P90: Measure = Measure {
    name: "p90",
    meaning: "90th percentile of the same",
    rows: &[row("latency_p90", "p90", "p90 of all journeys, counted from when the request was due")],
    quantile: Some(0.9),
    statistic: |of| latency(of, 0.9),
    ..LATENCY
};

/// The 95th percentile.
pub const P95: Measure = Measure {
    name: "p95",
    meaning: "95th percentile of the same",
    quantile: Some(0.95),
    statistic: |of| latency(of, 0.95),
    ..LATENCY
};

/// The 99th percentile.
pub const P99: Measure = Measure {
    name: "p99",
    meaning: "99th percentile of the same; on the screen of ok journeys over the last 5 s, dimmed below 500 samples",
    rows: &[row("latency_p99", "p99", "p99 of all journeys, counted from when the request was due")],
    quantile: Some(0.99),
    statistic: |of| latency(of, 0.99),
    ..LATENCY
};

/// The 99.9th percentile.
pub const P999: Measure = Measure {
    name: "p999",
    meaning: "99.9th percentile of the same; on the screen of ok journeys over the last 30 s, dimmed below 5,000 samples",
    rows: &[Row {
        window: RowWindow::Steady,
        ..row("latency_p999", "p99.9", "p99.9 of all journeys, counted from when the request was due")
    }],
    quantile: Some(0.999),
    statistic: |of| latency(of, 0.999),
    ..LATENCY
};

const LATENCY: Measure = Measure {
    parameter: Parameter::Journey,
    unit: Unit::Time,
    properties: &[
        Property::Cumulative,
        Property::NeedsContext,
        Property::NeedsOpenLoop,
        Property::NeedsIdleMachine,
        Property::DependsOnStart,
    ],
    ..Measure::DEFAULT
};

const fn row(id: &'static str, name: &'static str, text: &'static str) -> Row {
    let (window, comparison) = (RowWindow::SteadyAndFaults, Comparison::Ratio(LATENCY_MARGIN));
    Row { id, name, claim: Claim::Latency, text, window, comparison }
}

fn latency(of: &Selection<'_>, q: f64) -> Statistic {
    Statistic::quantile(q, of.by_unit(|unit| Some(unit.arrivals())), of.longest_wait_us())
}
