//! What there is to look after: `processes`, `ports`, `databases`, `config_keys`. Counted in the plan, so exact.

use record::{Arm, Measured};

use crate::measure::{Claim, Comparison, Measure, Row, RowWindow};
use crate::selection::Selection;
use crate::value::exact;

/// Processes.
pub const PROCESSES: Measure = Measure {
    name: "processes",
    meaning: "processes the arm is made of",
    value: |of| planned(of, |arm| arm.instances.len() as u64),
    rows: &[row("processes", "processes", "processes")],
    ..Measure::DEFAULT
};

/// Listening ports.
pub const PORTS: Measure = Measure {
    name: "ports",
    meaning: "ports the arm listens on",
    value: |of| {
        let ports = |arm: &Arm| arm.instances.iter().map(|i| 1 + u64::from(i.public_port.is_some())).sum();
        planned(of, ports)
    },
    rows: &[row("ports", "ports", "listening ports")],
    ..Measure::DEFAULT
};

/// Databases.
pub const DATABASES: Measure = Measure {
    name: "databases",
    meaning: "databases the arm keeps",
    value: |of| planned(of, |arm| arm.databases.into()),
    rows: &[row("databases", "databases", "databases")],
    ..Measure::DEFAULT
};

/// Configuration keys.
pub const CONFIG_KEYS: Measure = Measure {
    name: "config_keys",
    meaning: "keys in the configuration of all its nodes",
    value: |of| planned(of, |arm| arm.config_keys.into()),
    rows: &[row("config_keys", "config keys", "configuration keys")],
    ..Measure::DEFAULT
};

const fn row(id: &'static str, name: &'static str, text: &'static str) -> Row {
    let (window, comparison) = (RowWindow::Whole, Comparison::Intervals);
    Row { id, name, claim: Claim::Complexity, text, window, comparison }
}

fn planned(of: &Selection<'_>, count: impl Fn(&Arm) -> u64) -> Measured {
    of.plan().map_or_else(Measured::default, |arm| exact(count(arm), 1))
}
