//! Cores in use: `cpu` of an arm, `cpu(component)` of the processes that hold a component.

use super::memory::holds;
use crate::expect::Parameter;
use crate::inference::{Statistic, Terms};
use crate::measure::{Measure, Property};
use crate::selection::Selection;

/// Cores the arm used.
pub const CPU: Measure = Measure {
    name: "cpu",
    meaning: "CPU the arm used without that of injected delays, cores",
    properties: &[Property::DependsOnStart],
    statistic: |of| cores(of, |unit| unit.cpu_ns()),
    ..Measure::DEFAULT
};

/// Cores the processes that hold a component used.
pub const CPU_OF: Measure = Measure {
    name: "cpu",
    parameter: Parameter::Process,
    meaning: "CPU used by the processes that hold a component, cores",
    statistic: of_processes,
    ..CPU
};

fn of_processes(of: &Selection<'_>) -> Statistic {
    let name = of.argument.name();
    cores(of, |unit| unit.grown(|proc| if holds(proc, name) { proc.cpu_ns } else { 0 }))
}

fn cores(of: &Selection<'_>, cpu_ns: impl for<'a> Fn(&Selection<'a>) -> Option<u64>) -> Statistic {
    of.quotient(of.sent(), 1e-9, |unit| {
        Some(Terms { numerator: cpu_ns(unit)? as f64, denominator: unit.length_s() })
    })
}
