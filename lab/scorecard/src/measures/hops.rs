//! `hops`: requests on the wire per journey, second by second as the processes count them.

use record::Better;

use crate::measure::{Claim, Comparison, Measure, RESOURCE_MARGIN, Row, RowWindow};
use crate::selection::Selection;

/// Requests on the wire per journey.
pub const HOPS: Measure = Measure {
    name: "hops",
    meaning: "requests on the wire over journeys, all edges",
    better: Better::Neither,
    statistic: |of| of.per_journey(1.0, Selection::requests),
    rows: &[Row {
        id: "hops",
        name: "hops",
        claim: Claim::Latency,
        text: "requests on the wire per journey",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};
