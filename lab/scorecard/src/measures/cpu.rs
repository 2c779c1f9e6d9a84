//! Cores in use: `cpu` of an arm, `cpu(component)` of the processes that hold a component.

use record::Measured;

use super::memory::holds;
use crate::expect::Parameter;
use crate::measure::{Blocks, Measure};
use crate::selection::Selection;
use crate::value::plain;

/// Cores the arm used.
pub const CPU: Measure = Measure {
    name: "cpu",
    meaning: "CPU the arm used, cores",
    blocks: Blocks::RatioAndInterval,
    value: |of| plain(of.cores(of.cpu_ns()), of.sent()),
    ..Measure::DEFAULT
};

/// Cores the processes that hold a component used.
pub const CPU_OF: Measure = Measure {
    name: "cpu",
    parameter: Parameter::Process,
    meaning: "CPU used by the processes that hold a component, cores",
    value: of_processes,
    ..Measure::DEFAULT
};

fn of_processes(of: &Selection<'_>) -> Measured {
    let name = of.argument.name();
    let spent = of.grown(|proc| if holds(proc, name) { proc.cpu_ns } else { 0 });
    plain(of.cores(spent), of.sent())
}
