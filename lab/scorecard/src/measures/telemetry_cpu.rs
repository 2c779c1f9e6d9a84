//! `telemetry_cpu`: what tracing costs per journey, the CPU of the exporter's threads.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow, Unit};

/// CPU seconds of telemetry per journey.
pub const TELEMETRY_CPU: Measure = Measure {
    name: "telemetry_cpu",
    meaning: "what tracing costs: CPU of the exporter's threads over journeys",
    unit: Unit::Time,
    properties: &[Property::DependsOnStart, Property::NotSimulated],
    statistic: |of| of.per_journey(1e-9, |unit| unit.grown(|proc| proc.cpu_telemetry_ns)),
    rows: &[Row {
        id: "telemetry_cpu",
        name: "telemetry",
        claim: Claim::Monitoring,
        text: "CPU of telemetry per journey",
        window: RowWindow::Steady,
        comparison: Comparison::Unjudged,
    }],
    ..Measure::DEFAULT
};
