//! Memory at its highest: `procs.pss` of an arm, `pss(component)` of the processes that hold a component.

use std::collections::BTreeMap;

use model::{SECOND, Window};
use record::{Measured, Proc};

use crate::expect::Parameter;
use crate::measure::{Claim, Comparison, Measure, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::plain;

/// Proportional set size of the arm.
pub const MEMORY: Measure = Measure {
    name: "procs.pss",
    meaning: "proportional set size of the arm's processes, summed, at its highest",
    unit: Unit::Bytes,
    value: of_arm,
    rows: &[Row {
        id: "memory",
        name: "memory",
        claim: Claim::Complexity,
        text: "PSS of the arm at its highest",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio,
    }],
    ..Measure::DEFAULT
};

/// The same of the processes that hold a component.
pub const MEMORY_OF: Measure = Measure {
    name: "pss",
    parameter: Parameter::Process,
    meaning: "the same of the processes that hold a component",
    unit: Unit::Bytes,
    value: |of| highest(of, |proc| holds(proc, of.argument.name())),
    ..Measure::DEFAULT
};

pub(super) fn of_arm(of: &Selection<'_>) -> Measured {
    highest(of, |_| true)
}

/// Whether a process holds a component.
pub(super) fn holds(proc: &Proc, name: &str) -> bool {
    proc.components.iter().any(|component| component == name)
}

/// Processes sampled in the same second are added. Over the whole run the time before its first measured phase counts
/// as well.
fn highest(of: &Selection<'_>, is_meant: impl Fn(&Proc) -> bool) -> Measured {
    let ranges = (*of.window != Window::Whole).then(|| of.run_time());
    let is_inside =
        |t: &u64| ranges.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(t)));
    let mut by_second = BTreeMap::<u64, u64>::new();
    let mut n = 0;
    for (_, samples) in of.run.processes(of.arm) {
        // A process may be sampled twice in a second: at its tick, and at the end.
        let mut own = BTreeMap::<u64, u64>::new();
        for (t, proc) in samples.iter().filter(|(t, proc)| is_meant(proc) && is_inside(t)) {
            let highest = own.entry(t / SECOND).or_default();
            *highest = proc.pss_kib.max(*highest);
            n += 1;
        }
        own.into_iter().for_each(|(second, kib)| *by_second.entry(second).or_default() += kib);
    }
    plain(by_second.values().max().map(|kib| *kib as f64 * 1024.0), n)
}
