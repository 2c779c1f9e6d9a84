//! `hops`: requests on the wire per journey, from the cost lines of the window's phases.

use record::{Better, Measured};

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow};
use crate::selection::Selection;
use crate::value::plain;

/// Requests on the wire per journey.
pub const HOPS: Measure = Measure {
    name: "hops",
    meaning: "requests on the wire over journeys, all edges",
    better: Better::Neither,
    value: hops,
    rows: &[Row {
        id: "hops",
        name: "hops",
        claim: Claim::Latency,
        text: "requests on the wire per journey",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio,
    }],
    ..Measure::DEFAULT
};

fn hops(of: &Selection<'_>) -> Measured {
    let (mut requests, mut journeys) = (0.0, 0);
    for cost in of.costs() {
        requests += cost.hops * cost.journeys as f64;
        journeys += cost.journeys;
    }
    plain((journeys > 0).then(|| requests / journeys as f64), journeys)
}
