//! Latency of ok journeys, counted from when each was due: `p50(journey)`, `p95`, `p99`, `p999`.

use record::Measured;

use crate::expect::Parameter;
use crate::measure::{Blocks, Claim, Comparison, MIN_SHARE, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::quantile;

/// Samples a 99th percentile needs.
pub(super) const MIN_P99: u64 = 1_000;
/// Samples a 99.9th percentile needs.
const MIN_P999: u64 = 10_000;

/// The median.
pub const P50: Measure = Measure {
    name: "p50",
    meaning: "median latency of ok journeys from the intended start; from merged histograms",
    rows: &[row("latency_p50", "p50", "p50 of ok journeys, from the intended start")],
    value: |of| latency(of, 0.5),
    ..of_quantile(0.5, 4, MIN_SHARE)
};

/// The 95th percentile.
pub const P95: Measure = Measure {
    name: "p95",
    meaning: "95th percentile of the same",
    value: |of| latency(of, 0.95),
    ..of_quantile(0.95, 40, MIN_SHARE)
};

/// The 99th percentile.
pub const P99: Measure = Measure {
    name: "p99",
    meaning: "99th percentile of the same; on the screen over the last 5 s, dimmed below 500 samples",
    rows: &[row("latency_p99", "p99", "p99 of ok journeys, from the intended start")],
    value: |of| latency(of, 0.99),
    ..of_quantile(0.99, 200, MIN_P99)
};

/// The 99.9th percentile.
pub const P999: Measure = Measure {
    name: "p999",
    meaning: "99.9th percentile of the same; on the screen over the last 30 s, dimmed below 5,000 samples",
    rows: &[row("latency_p999", "p99.9", "p99.9 of ok journeys, from the intended start")],
    value: |of| latency(of, 0.999),
    ..of_quantile(0.999, 2_000, MIN_P999)
};

/// A block needs two samples beyond its quantile: 4 for a median, 200 for a p99.
const fn of_quantile(q: f64, block_samples: u64, min_samples: u64) -> Measure {
    Measure {
        parameter: Parameter::Journey,
        unit: Unit::Time,
        min_samples,
        quantile: Some(q),
        blocks: Blocks::Ratio { min_samples: block_samples },
        properties: &[
            Property::Cumulative,
            Property::NeedsContext,
            Property::NeedsOpenLoop,
            Property::NeedsIdleMachine,
        ],
        ..Measure::DEFAULT
    }
}

const fn row(id: &'static str, name: &'static str, text: &'static str) -> Row {
    let (window, comparison) = (RowWindow::Steady, Comparison::Ratio);
    Row { id, name, claim: Claim::Latency, text, window, comparison }
}

fn latency(of: &Selection<'_>, q: f64) -> Measured {
    quantile(&of.latencies(|window| &window.intended), q)
}
