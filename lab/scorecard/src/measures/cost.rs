//! `cost`: CPU seconds of an arm per 1,000 journeys.

use super::cpu_per_journey::CPU_PER_JOURNEY;
use crate::measure::{Measure, Unit};
use crate::selection::Selection;

/// CPU seconds per 1,000 journeys.
pub const COST: Measure = Measure {
    name: "cost",
    meaning: "CPU seconds of the arm per 1,000 journeys",
    unit: Unit::Count,
    statistic: |of| of.per_journey(1e-6, Selection::cpu_ns),
    rows: &[],
    ..CPU_PER_JOURNEY
};
