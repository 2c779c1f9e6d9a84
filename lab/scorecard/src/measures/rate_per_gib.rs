//! `rate_per_gib`: good journeys per second and GiB held. Memory has one highest value a round, so its interval comes from
//! rounds.

use record::Better;

use super::memory;
use crate::inference::{Once, Statistic};
use crate::measure::{Claim, Comparison, Measure, Property, RESOURCE_MARGIN, Row, RowWindow, Unit};
use crate::selection::Selection;

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

/// Good journeys per second over GiB of proportional set size.
pub const RATE_PER_GIB: Measure = Measure {
    name: "rate_per_gib",
    meaning: "good journeys per second over GiB held (PSS)",
    unit: Unit::Rate,
    better: Better::Higher,
    properties: &[Property::OfMemory],
    statistic: per_gib,
    rows: &[Row {
        id: "rate_per_gib",
        name: "good/s/GiB",
        claim: Claim::Scalability,
        text: "good journeys per second and GiB held",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

fn per_gib(of: &Selection<'_>) -> Statistic {
    let of_round = |round: &Selection<'_>| {
        let gib = memory::highest(round, |_| true)? / GIB;
        let rate = round.sum(|window| window.good) as f64 / round.length_s();
        (gib > 0.0).then(|| Once::of(rate / gib))
    };
    Statistic::once(of.by_round(of_round))
}
