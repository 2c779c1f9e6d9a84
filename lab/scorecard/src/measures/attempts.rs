//! `attempts(a->b)`: tries per logical call of an edge; above 1 it retries.

use crate::expect::Parameter;
use crate::measure::Measure;
use crate::value::plain;

/// Tries per call.
pub const ATTEMPTS: Measure = Measure {
    name: "attempts",
    parameter: Parameter::Edge,
    meaning: "tries per logical call of an edge",
    value: |of| {
        let (mut tries, mut calls) = (0.0, 0.0);
        for edge in of.edge() {
            tries += edge.actual_rps;
            calls += edge.effective_rps;
        }
        plain((calls > 0.0).then(|| tries / calls), calls as u64)
    },
    ..Measure::DEFAULT
};
