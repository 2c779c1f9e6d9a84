//! Peak memory (PSS): `procs.pss` of an arm, `pss(component)` of the processes that hold a component.

use std::collections::BTreeMap;

use model::{SECOND, Window};
use record::Proc;

use crate::expect::Parameter;
use crate::inference::{Once, Statistic};
use crate::measure::{Claim, Comparison, Measure, Property, RESOURCE_MARGIN, Row, RowWindow, Unit};
use crate::selection::Selection;

/// Proportional set size of the arm.
pub const MEMORY: Measure = Measure {
    name: "procs.pss",
    meaning: "highest proportional set size of the arm's processes, summed",
    unit: Unit::Bytes,
    properties: &[Property::OfMemory],
    statistic: |of| by_round(of, |_| true),
    rows: &[Row {
        id: "memory",
        name: "memory",
        claim: Claim::Complexity,
        text: "peak memory (PSS)",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(RESOURCE_MARGIN),
    }],
    ..Measure::DEFAULT
};

/// The same of the processes that hold a component.
pub const MEMORY_OF: Measure = Measure {
    name: "pss",
    parameter: Parameter::Process,
    meaning: "the same of the processes that hold a component",
    unit: Unit::Bytes,
    properties: &[Property::OfMemory],
    statistic: |of| by_round(of, |proc| holds(proc, of.argument.name())),
    ..Measure::DEFAULT
};

fn by_round(of: &Selection<'_>, is_meant: impl Fn(&Proc) -> bool + Copy) -> Statistic {
    Statistic::once(of.by_round(|round| highest(round, is_meant).map(Once::of)))
}

/// Whether a process holds a component.
pub(super) fn holds(proc: &Proc, name: &str) -> bool {
    proc.components.iter().any(|component| component == name)
}

/// Bytes held at most in any second of a selection; of the whole, from the load's start on.
pub(crate) fn highest(of: &Selection<'_>, is_meant: impl Fn(&Proc) -> bool) -> Option<f64> {
    let ranges = match of.window {
        Window::Whole => of.of_seconds(0..of.seconds().end).run_time(),
        _ => of.run_time(),
    };
    let is_inside = |t: &u64| ranges.iter().any(|range| range.contains(t));
    let mut by_second = BTreeMap::<u64, u64>::new();
    for (_, samples) in of.run.processes(of.arm) {
        // A process may be sampled twice in a second: at its tick, and at the end.
        let mut own = BTreeMap::<u64, u64>::new();
        for (t, proc) in samples.iter().filter(|(t, proc)| is_meant(proc) && is_inside(t)) {
            let highest = own.entry(t / SECOND).or_default();
            *highest = proc.pss_kib.max(*highest);
        }
        own.into_iter().for_each(|(second, kib)| *by_second.entry(second).or_default() += kib);
    }
    by_second.values().max().map(|kib| *kib as f64 * 1024.0)
}
