//! `attempts(a->b)`: tries per logical call of an edge; above 1 it retries.

use crate::expect::Parameter;
use crate::inference::{Statistic, Terms};
use crate::measure::Measure;
use crate::selection::Selection;

/// Tries per call.
pub const ATTEMPTS: Measure = Measure {
    name: "attempts",
    parameter: Parameter::Edge,
    meaning: "tries per logical call of an edge",
    statistic: attempts,
    ..Measure::DEFAULT
};

fn attempts(of: &Selection<'_>) -> Statistic {
    let calls: f64 = of.edge().map(|edge| edge.effective_rps).sum();
    of.quotient(calls as u64, 1.0, |unit| {
        let mut sum = None;
        for edge in unit.edge() {
            let sum: &mut Terms = sum.get_or_insert_default();
            sum.numerator += edge.actual_rps;
            sum.denominator += edge.effective_rps;
        }
        sum
    })
}
