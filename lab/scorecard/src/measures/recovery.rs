//! `recovery(journey)`: from the end of the last fault to the first of three seconds with 95 % of goodput. One event a
//! run, whatever the window; never is a value, and the expectation on it fails.

use model::{SECOND, Window};
use record::{Measured, StepPlan};

use crate::expect::Parameter;
use crate::measure::{Claim, Comparison, Measure, Row, RowWindow, Unit};
use crate::selection::Selection;
use crate::value::plain;

/// Goodput counts as recovered from here, for [`RECOVERED_SECONDS`] in a row.
const MIN_GOOD: f64 = 0.95;
/// Seconds in a row.
const RECOVERED_SECONDS: u32 = 3;

/// Seconds until goodput is back.
pub const RECOVERY: Measure = Measure {
    name: "recovery",
    parameter: Parameter::Journey,
    meaning: "from the last fault's end to the first of three seconds with 95 % of their journeys good",
    unit: Unit::Time,
    value: recovery,
    rows: &[Row {
        id: "recovery",
        name: "recovery",
        claim: Claim::Isolation,
        text: "from the last fault's end to 95 % goodput",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio,
    }],
    ..Measure::DEFAULT
};

fn recovery(of: &Selection<'_>) -> Measured {
    let Some(from) = last_fault_end(&of.run.header.steps) else { return Measured::default() };
    let end = of.run.seconds(&Window::Whole).end;
    let (mut good_in_a_row, mut n) = (0, 0);
    for second in from..end {
        // By the arrivals due in it.
        let due = of.of_seconds(second..second + 1);
        let (offered, good) = (due.sum(|window| window.offered), due.sum(|window| window.good));
        n += offered;
        let is_good = offered == 0 || good as f64 >= MIN_GOOD * offered as f64;
        good_in_a_row = if is_good { good_in_a_row + 1 } else { 0 };
        if good_in_a_row == RECOVERED_SECONDS {
            return plain(Some(f64::from(second + 1 - RECOVERED_SECONDS - from)), n);
        }
    }
    plain((n > 0).then_some(f64::INFINITY), n)
}

/// End of the last fault, in seconds since the load's start; a fault without length ends when it happens.
fn last_fault_end(steps: &[StepPlan]) -> Option<u32> {
    let ends = steps.iter().filter(|step| step.is_fault).map(|step| step.start_ns + step.length_ns);
    ends.max().map(|ns| u32::try_from(ns / SECOND).unwrap_or(u32::MAX))
}
