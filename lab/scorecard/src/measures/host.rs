//! The host all arms share: `host.cpu_stall`, `host.mem_available`. Means over its seconds.

use model::host::stall_share;
use record::{Better, Host};

use crate::inference::{Statistic, Terms};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

/// Pressure-stall information of CPU, `some`: share of time in which a task waited for a CPU.
pub const CPU_STALL: Measure = Measure {
    name: "host.cpu_stall",
    meaning: "share of time in which tasks waited for a CPU (PSI some)",
    unit: Unit::Share,
    properties: &[Property::OfHost],
    statistic: |of| mean(of, stall_share),
    ..Measure::DEFAULT
};

/// Memory available over all memory.
pub const MEMORY_AVAILABLE: Measure = Measure {
    name: "host.mem_available",
    meaning: "share of the host's memory that is available",
    better: Better::Higher,
    properties: &[Property::OfHost, Property::NotSimulated],
    statistic: |of| {
        let all = of.run.header.machine.memory_mib as f64;
        // Of a machine whose memory is not known no share is.
        mean(of, |host| (all > 0.0).then(|| host.memory_available_mib as f64 / all))
    },
    ..CPU_STALL
};

fn mean(of: &Selection<'_>, which: impl Fn(&Host) -> Option<f64>) -> Statistic {
    of.quotient(of.hosts().filter_map(&which).count() as u64, 1.0, |unit| {
        let values: Vec<f64> = unit.hosts().filter_map(&which).collect();
        let terms = Terms { numerator: values.iter().sum(), denominator: values.len() as f64 };
        (!values.is_empty()).then_some(terms)
    })
}
