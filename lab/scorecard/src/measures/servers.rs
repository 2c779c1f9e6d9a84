//! Servers of databases and of events, in runs where an arm has any: `servers` there are, `server_pss` and `server_cpu`, what
//! they hold and spend of the arm's memory and CPU (nothing, in an arm that has none), and `server_start_up`, when they serve.

use super::memory::highest;
use crate::inference::{Once, Statistic};
use crate::measure::{
    Claim, Comparison, LATENCY_MARGIN, Measure, Property, RESOURCE_MARGIN, Row, RowWindow, Unit,
};
use crate::selection::Selection;

/// Servers of databases and of events.
pub const SERVERS: Measure = Measure {
    name: "servers",
    meaning: "servers of databases and of events the arm keeps; 0 where its databases are files and its events pulled",
    properties: &[Property::OwnWindow],
    statistic: |of| {
        if has_servers(of) { of.planned(|arm| arm.servers.into()) } else { Statistic::exact(None) }
    },
    rows: &[Row {
        id: "servers",
        name: "servers",
        claim: Claim::Technology,
        text: "servers of databases and of events",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};

/// Memory of the servers.
pub const SERVER_MEMORY: Measure = Measure {
    name: "server_pss",
    meaning: "highest proportional set size of the arm's servers of databases and of events, summed over all their processes; 0 without any; not measured where the lab did not start them",
    unit: Unit::Bytes,
    statistic: |of| Statistic::once(of.by_round(|round| round.highest_on_servers().map(Once::of))),
    rows: &[Row {
        id: "server_memory",
        name: "server memory",
        claim: Claim::Technology,
        text: "peak memory of the servers of databases and of events",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// CPU of the servers.
pub const SERVER_CPU: Measure = Measure {
    name: "server_cpu",
    meaning: "CPU of the arm's servers of databases and of events, all their processes, over journeys finished; 0 without any; not measured where the lab did not start them",
    unit: Unit::Time,
    properties: &[Property::NeedsContext, Property::NeedsOpenLoop, Property::DependsOnStart],
    statistic: |of| of.per_journey(1e-9, |unit| unit.grown_on_servers()),
    rows: &[Row {
        id: "server_cpu",
        name: "server CPU",
        claim: Claim::Technology,
        text: "of the CPU per journey, servers of databases and of events",
        window: RowWindow::Steady,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// Seconds until the servers accept connections.
pub const SERVER_START_UP: Measure = Measure {
    name: "server_start_up",
    meaning: "how long the arm's servers of databases and of events take until all accept connections and have their databases, still empty; its processes start after that",
    unit: Unit::Time,
    properties: &[Property::OwnWindow, Property::NotSimulated],
    statistic: |of| {
        let ready = of.plan().filter(|arm| arm.server_ready_ms > 0);
        Statistic::once(vec![ready.map(|arm| Once::of(arm.server_ready_ms as f64 / 1e3))])
    },
    rows: &[Row {
        id: "server_start_up",
        name: "server start-up",
        claim: Claim::Technology,
        text: "start-up time of the servers of databases and of events",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// Whether any arm of the run has servers.
pub(super) fn has_servers(of: &Selection<'_>) -> bool {
    of.run.header.arms.iter().any(|arm| arm.servers > 0)
}

impl Selection<'_> {
    /// Memory that the arm's servers held at most, bytes; `None` where no arm has any, or the lab did not start the arm's.
    fn highest_on_servers(&self) -> Option<f64> {
        let has_own = self.plan().is_some_and(|arm| arm.servers > 0);
        let highest = highest(self, |proc| proc.is_server);
        if has_own { highest } else { has_servers(self).then_some(0.0) }
    }

    /// CPU that the arm's servers have spent; `None` where no arm has any, or the lab did not start the arm's.
    fn grown_on_servers(&self) -> Option<u64> {
        let has_own = self.plan().is_some_and(|arm| arm.servers > 0);
        let is_measured = || {
            self.run.processes(self.arm).any(|(_, samples)| samples.iter().any(|(_, proc)| proc.is_server))
        };
        if !has_servers(self) || (has_own && !is_measured()) {
            return None;
        }
        self.grown(|proc| if proc.is_server { proc.cpu_ns } else { 0 })
    }
}
