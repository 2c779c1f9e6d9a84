//! `cost`: CPU seconds of an arm per 1,000 journeys.

use super::cpu_per_journey::{CPU_PER_JOURNEY, per_journey};
use crate::measure::{Measure, Unit};
use crate::value::scaled;

/// CPU seconds per 1,000 journeys.
pub const COST: Measure = Measure {
    name: "cost",
    meaning: "CPU seconds of the arm per 1,000 journeys",
    unit: Unit::Count,
    value: |of| scaled(per_journey(of), 1_000.0),
    rows: &[],
    ..CPU_PER_JOURNEY
};
