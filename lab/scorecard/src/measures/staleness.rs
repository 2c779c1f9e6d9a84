//! Staleness, from when a write was acknowledged until it is visible elsewhere: `staleness_p50`, `staleness_p99`.

use record::Measured;

use super::latency::MIN_P99;
use crate::measure::{Claim, Comparison, MIN_SHARE, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::quantile;

/// The median.
pub const STALENESS_P50: Measure = Measure {
    name: "staleness_p50",
    meaning: "a write acknowledged until seen elsewhere, median",
    min_samples: MIN_SHARE,
    quantile: Some(0.5),
    value: |of| staleness(of, 0.5),
    rows: &[row("staleness_p50", "staleness p50", "acknowledged until visible elsewhere, p50")],
    ..STALENESS
};

/// The 99th percentile.
pub const STALENESS_P99: Measure = Measure {
    name: "staleness_p99",
    meaning: "a write acknowledged until seen elsewhere, p99",
    min_samples: MIN_P99,
    quantile: Some(0.99),
    value: |of| staleness(of, 0.99),
    rows: &[row("staleness_p99", "staleness p99", "acknowledged until visible elsewhere, p99")],
    ..STALENESS
};

const STALENESS: Measure =
    Measure { unit: Unit::Time, properties: &[Property::Cumulative], ..Measure::DEFAULT };

const fn row(id: &'static str, name: &'static str, text: &'static str) -> Row {
    let (window, comparison) = (RowWindow::Whole, Comparison::Ratio);
    Row { id, name, claim: Claim::Consistency, text, window, comparison }
}

fn staleness(of: &Selection<'_>, q: f64) -> Measured {
    quantile(&of.latencies(|window| &window.staleness), q)
}
