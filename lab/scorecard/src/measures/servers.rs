//! Database servers, in runs where an arm has any: `servers` there are, and `server_pss` and `server_cpu`, what they hold and
//! spend of the arm's memory and CPU.

use super::memory::highest;
use crate::inference::{Once, Statistic};
use crate::measure::{Claim, Comparison, Measure, Property, RESOURCE_MARGIN, Row, RowWindow, Unit};
use crate::selection::Selection;

/// Database servers.
pub const SERVERS: Measure = Measure {
    name: "servers",
    meaning: "database servers the arm keeps; 0 where its databases are files",
    properties: &[Property::OwnWindow],
    statistic: |of| {
        if has_servers(of) { of.planned(|arm| arm.servers.into()) } else { Statistic::exact(None) }
    },
    rows: &[Row {
        id: "servers",
        name: "db servers",
        claim: Claim::Technology,
        text: "database servers",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};

/// Memory of the database servers.
pub const SERVER_MEMORY: Measure = Measure {
    name: "server_pss",
    meaning: "highest proportional set size of the arm's database servers, summed over all their processes",
    unit: Unit::Bytes,
    statistic: |of| Statistic::once(of.by_round(|round| highest(round, |proc| proc.is_server).map(Once::of))),
    rows: &[Row {
        id: "server_memory",
        name: "db server memory",
        claim: Claim::Technology,
        text: "peak memory of the database servers",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// CPU of the database servers.
pub const SERVER_CPU: Measure = Measure {
    name: "server_cpu",
    meaning: "CPU of the arm's database servers, all their processes, over journeys finished",
    unit: Unit::Time,
    properties: &[Property::NeedsContext, Property::NeedsOpenLoop, Property::DependsOnStart],
    statistic: |of| of.per_journey(1e-9, |unit| unit.grown_on_servers()),
    rows: &[Row {
        id: "server_cpu",
        name: "db server CPU",
        claim: Claim::Technology,
        text: "of the CPU per journey, database servers",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

fn has_servers(of: &Selection<'_>) -> bool {
    of.run.header.arms.iter().any(|arm| arm.servers > 0)
}

impl Selection<'_> {
    /// CPU that the arm's database servers have spent; `None` where it has none.
    fn grown_on_servers(&self) -> Option<u64> {
        self.plan().filter(|arm| arm.servers > 0)?;
        self.grown(|proc| if proc.is_server { proc.cpu_ns } else { 0 })
    }
}
