//! `config_keys`: keys in the configuration of all its nodes. Counted in the plan, so exact.

use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow};

/// Configuration keys.
pub const CONFIG_KEYS: Measure = Measure {
    name: "config_keys",
    meaning: "keys in the configuration of all its nodes",
    properties: &[Property::OwnWindow],
    statistic: |of| of.planned(|arm| arm.config_keys.into()),
    rows: &[Row {
        id: "config_keys",
        name: "config keys",
        claim: Claim::Complexity,
        text: "configuration keys",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};
