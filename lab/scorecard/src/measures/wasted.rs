//! `wasted(component)`: the share of finished work whose caller no longer waited for it.

use crate::expect::Parameter;
use crate::inference::{Statistic, Trials};
use crate::measure::{Measure, Unit};
use crate::selection::Selection;

/// Work in vain over work done.
pub const WASTED: Measure = Measure {
    name: "wasted",
    parameter: Parameter::Component,
    meaning: "share of finished work whose caller had given up",
    unit: Unit::Share,
    statistic: wasted,
    ..Measure::DEFAULT
};

fn wasted(of: &Selection<'_>) -> Statistic {
    let name = of.argument.name();
    let trials = of.by_unit(|unit| {
        let grown = |which: usize| unit.reported(|proc| proc.work.get(name).map_or(0, |work| work[which]));
        let (vain, done) = (grown(1)?, grown(0)?);
        Some(Trials { events: vain.min(done), trials: done })
    });
    Statistic::share(trials, Vec::new(), true)
}
