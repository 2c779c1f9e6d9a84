//! `wasted(component)`: the share of finished work whose caller no longer waited for it.

use crate::expect::Parameter;
use crate::measure::{Measure, Unit};

/// Work in vain over work done.
pub const WASTED: Measure = Measure {
    name: "wasted",
    parameter: Parameter::Component,
    meaning: "share of finished work whose caller had given up",
    unit: Unit::Share,
    statistic: |of| {
        of.share_of_growth(true, |proc| proc.work.get(of.argument.name()).map(|[done, vain]| (*vain, *done)))
    },
    ..Measure::DEFAULT
};
