//! `backups` and `upgrades`: what those who operate an arm have to copy and to renew, in runs where an arm has servers of databases
//! or of events. Elsewhere they are its databases and its programs. Counted in the plan, so exact.

use std::collections::BTreeSet;

use record::Arm;

use super::servers::has_servers;
use crate::inference::Statistic;
use crate::measure::{Claim, Comparison, Measure, Property, Row, RowWindow};
use crate::selection::Selection;

/// Copies that make a backup.
pub const BACKUPS: Measure = Measure {
    name: "backups",
    meaning: "copies that make a backup of the arm's data: one of each database in files, one of each server of databases with all that it keeps; none of a broker, whose events are in the outboxes of their publishers",
    properties: &[Property::OwnWindow],
    statistic: |of| with_servers(of, backups),
    rows: &[Row {
        id: "backups",
        name: "backups",
        claim: Claim::Complexity,
        text: "copies that make a backup",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};

/// Upgrades that are made apart.
pub const UPGRADES: Measure = Measure {
    name: "upgrades",
    meaning: "upgrades that bring all of the arm to its next version, each made apart: one of each program, whatever its copies, and one of each server of databases or of events",
    properties: &[Property::OwnWindow],
    statistic: |of| with_servers(of, upgrades),
    rows: &[Row {
        id: "upgrades",
        name: "upgrades",
        claim: Claim::Complexity,
        text: "upgrades of programs and servers",
        window: RowWindow::Whole,
        comparison: Comparison::Ratio(1.0),
    }],
    ..Measure::DEFAULT
};

fn with_servers(of: &Selection<'_>, count: fn(&Arm) -> u64) -> Statistic {
    if has_servers(of) { of.planned(count) } else { Statistic::exact(None) }
}

fn backups(arm: &Arm) -> u64 {
    // Records of an arm without servers, and those of before, have the databases alone.
    u64::from(if arm.backups > 0 { arm.backups } else { arm.databases })
}

fn upgrades(arm: &Arm) -> u64 {
    let names = arm.instances.iter().map(|instance| instance.name.split(['#', '@']).next());
    names.collect::<BTreeSet<_>>().len() as u64 + u64::from(arm.servers)
}
