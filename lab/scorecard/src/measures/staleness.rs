//! Staleness, from when a write was acknowledged until it is visible elsewhere: `staleness_p50`, `staleness_p99`.

use crate::inference::{Arrivals, Statistic};
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Measure, Property, Row, RowWindow, Unit};
use crate::selection::Selection;

/// The median.
pub const STALENESS_P50: Measure = Measure {
    name: "staleness_p50",
    meaning: "a write acknowledged until seen elsewhere, median",
    statistic: |of| staleness(of, 0.5),
    rows: &[row("staleness_p50", "staleness p50", "acknowledged until visible elsewhere, p50")],
    ..STALENESS
};

/// The 99th percentile.
pub const STALENESS_P99: Measure = Measure {
    name: "staleness_p99",
    meaning: "a write acknowledged until seen elsewhere, p99",
    statistic: |of| staleness(of, 0.99),
    rows: &[row("staleness_p99", "staleness p99", "acknowledged until visible elsewhere, p99")],
    ..STALENESS
};

const STALENESS: Measure = Measure {
    unit: Unit::Time,
    properties: &[Property::Cumulative, Property::DependsOnStart, Property::NotSimulated],
    ..Measure::DEFAULT
};

const fn row(id: &'static str, name: &'static str, text: &'static str) -> Row {
    let (window, comparison) = (RowWindow::Whole, Comparison::Ratio(LATENCY_MARGIN));
    Row { id, name, claim: Claim::Consistency, text, window, comparison }
}

fn staleness(of: &Selection<'_>, q: f64) -> Statistic {
    let writes = |unit: &Selection<'_>| Arrivals {
        waits: unit.latencies(|window| &window.staleness),
        censored: unit.sum(|window| window.unseen),
    };
    Statistic::quantile(q, of.by_unit(|unit| Some(writes(unit))), of.run.header.probe_us)
}
