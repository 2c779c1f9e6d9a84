//! How long a step took: `time_to_detect(step id)`, `time_to_rollback`, `time_to_finish`. From its first mark in an arm
//! to the mark that ends it; a step that never got there has no value.

use model::SECOND;
use record::Measured;

use crate::expect::Parameter;
use crate::measure::{Measure, Unit};
use crate::selection::Selection;
use crate::value::once;

/// Until a bad version was noticed.
pub const TIME_TO_DETECT: Measure = Measure {
    name: "time_to_detect",
    meaning: "from a step's start until it was noticed to be bad",
    value: |of| until(of, "detected"),
    ..STEP_TIME
};

/// Until it was taken back.
pub const TIME_TO_ROLLBACK: Measure = Measure {
    name: "time_to_rollback",
    meaning: "from a step's start until it was taken back",
    value: |of| until(of, "rolled-back"),
    ..STEP_TIME
};

/// Until the step was done.
pub const TIME_TO_FINISH: Measure = Measure {
    name: "time_to_finish",
    meaning: "from a step's start until it was done",
    value: |of| until(of, "done"),
    ..STEP_TIME
};

const STEP_TIME: Measure = Measure { parameter: Parameter::Step, unit: Unit::Time, ..Measure::DEFAULT };

fn until(of: &Selection<'_>, end: &str) -> Measured {
    let Some(step) = of.step() else { return Measured::default() };
    let at = |mark: &str| {
        let mut events = of.run.events().iter().filter(|(_, event)| event.number == step.number);
        let found = events.find(|(_, event)| {
            event.mark.as_ref().is_some_and(|(arm, other)| *arm == of.arm && other == mark)
        });
        found.map(|(t, _)| *t)
    };
    once(at("began").zip(at(end)).map(|(began, end)| end.saturating_sub(began) as f64 / SECOND as f64))
}
