//! Compares our counts with goose's: two independent records of one load.

use goose::prelude::GooseMetrics;
use traffic::Journey;

use crate::arm_context::ArmContext;

/// Number of responses that goose counted for an arm, and the highest p99 of its journeys,
/// microseconds.
pub fn count_and_p99(metrics: &GooseMetrics, arm: &ArmContext) -> (u64, u64) {
    let rows: Vec<String> = Journey::ALL.into_iter().map(|journey| arm.goose_row(journey)).collect();
    let ours = metrics.requests.values().filter(|request| rows.contains(&request.path));
    ours.fold((0, 0), |(count, p99), request| {
        let counted = request.success_count + request.fail_count;
        (count + counted as u64, p99.max(request.raw_data.percentile_us(0.99)))
    })
}
