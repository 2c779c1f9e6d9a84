//! `wasted(component)`: the share of finished work whose caller no longer waited for it.

use crate::expect::Parameter;
use crate::measure::{MIN_SHARE, Measure, Unit};
use crate::value::proportion;

/// Work in vain over work done.
pub const WASTED: Measure = Measure {
    name: "wasted",
    parameter: Parameter::Component,
    meaning: "share of finished work whose caller had given up",
    unit: Unit::Share,
    min_samples: MIN_SHARE,
    value: |of| {
        let name = of.argument.name();
        let [done, vain] = [0, 1].map(|which: usize| {
            of.grown(|proc| proc.work.get(name).map_or(0, |work| work[which])).unwrap_or(0)
        });
        proportion(vain.min(done), done)
    },
    ..Measure::DEFAULT
};
