//! The host all arms share: `host.cpu_stall`, `host.mem_available`. Means over its seconds.

use record::{Better, Host, Measured};

use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;
use crate::stats;

/// Pressure-stall information of CPU, `some`: share of time in which a task waited for a CPU.
pub const CPU_STALL: Measure = Measure {
    name: "host.cpu_stall",
    meaning: "share of time in which tasks waited for a CPU (PSI some)",
    unit: Unit::Share,
    properties: &[Property::OfHost],
    value: |of| mean(of, |host| host.cpu_stall / 100.0),
    ..Measure::DEFAULT
};

/// Memory available over all memory.
pub const MEMORY_AVAILABLE: Measure = Measure {
    name: "host.mem_available",
    meaning: "share of the host's memory that is available",
    better: Better::Higher,
    value: |of| {
        let all = of.run.header.machine.memory_mib as f64;
        mean(of, |host| host.memory_available_mib as f64 / all)
    },
    ..CPU_STALL
};

fn mean(of: &Selection<'_>, which: impl Fn(&Host) -> f64) -> Measured {
    let values: Vec<f64> = of.hosts().map(which).collect();
    let n = values.len() as u64;
    Measured {
        value: (n > 0).then(|| values.iter().sum::<f64>() / n as f64),
        n,
        interval: stats::mean(&values).map(|(_, interval)| interval),
    }
}
