//! `telemetry_cpu`: what tracing costs per journey, the CPU of the exporter's threads.

use record::Measured;

use crate::breakdowns::CpuParts;
use crate::measure::{Claim, Comparison, Measure, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::plain;

/// CPU seconds of telemetry per journey.
pub const TELEMETRY_CPU: Measure = Measure {
    name: "telemetry_cpu",
    meaning: "what tracing costs: CPU of the exporter's threads over journeys",
    unit: Unit::Time,
    value: telemetry_cpu,
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

fn telemetry_cpu(of: &Selection<'_>) -> Measured {
    let parts = CpuParts::of(of.run, of.window, of.arm);
    parts
        .and_then(|parts| Some(plain(Some(*parts.cpu.get("telemetry")?), parts.journeys)))
        .unwrap_or_default()
}
