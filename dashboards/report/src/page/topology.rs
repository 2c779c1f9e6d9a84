//! How components are grouped, and who calls whom: before anything was done, while it lasted, and at the end.

use std::collections::BTreeSet;

use model::edges::EdgeRow;
use model::faults::Moment;
use model::format::{NO_DATA, count, value};
use model::{Run, Window};
use record::{Arm, CLIENT};

use super::{Lane, Page, cells, number, text};
use crate::escaped;
use model::sweep::MAX_SIDE_BY_SIDE;

/// Calls are not deeper than this; a circle of calls ends here.
const MAX_LEVELS: usize = 8;

impl Page<'_> {
    pub(super) fn topology(&mut self) {
        self.open_folded("Topology", "processes, and who calls whom");
        self.table(&[
            text("arm"),
            text("instances"),
            number("databases"),
            number("config_keys"),
            number("ready"),
        ]);
        for lane in 0..self.lanes.len() {
            let Lane { run, letter, name, .. } = &self.lanes[lane];
            let Some(arm) = arm(run, *letter) else { continue };
            let process = |one: &record::Instance| {
                let copies = if one.copies > 1 { format!("{} x ", one.copies) } else { String::new() };
                format!("{copies}{} ({})", one.name, one.hosts.join(", "))
            };
            let processes: Vec<String> = arm.instances.iter().map(process).collect();
            let (name, cells) = (
                escaped(name),
                format!(
                    "<td class=\"text long\">{}</td><td>{}</td><td>{}</td><td>{}</td>",
                    escaped(&processes.join("; ")),
                    arm.databases,
                    arm.config_keys,
                    value((arm.ready_ms > 0).then_some(arm.ready_ms as f64 / 1e3), "s")
                ),
            );
            self.row(&name, &cells);
        }
        self.end_table();
        if self.lanes.len() <= MAX_SIDE_BY_SIDE {
            for lane in 0..self.lanes.len() {
                self.calls(lane);
            }
        }
        self.close_folded();
    }

    /// The tree of calls of a lane: what crosses processes with its figures at each moment, and what does not by name.
    fn calls(&mut self, lane: usize) {
        let Lane { run, letter, name, .. } = &self.lanes[lane];
        let (run, letter, name) = (*run, *letter, name.clone());
        let Some(arm) = arm(run, letter) else { return };
        let tree = tree(arm);
        let moments = run.moments();
        if tree.is_empty() || moments.is_empty() {
            return;
        }
        self.write(format_args!("<h3>{}</h3>", escaped(&name)));
        let (local, remote): (Vec<&Call>, Vec<&Call>) = tree.iter().partition(|call| call.is_local);
        if !local.is_empty() {
            let names: Vec<String> =
                local.iter().map(|call| format!("{} → {}", call.caller, call.callee)).collect();
            self.quiet(&format!(
                "Function calls within a process, not measured by themselves: {}.",
                names.join(", ")
            ));
        }
        let rows: Vec<Vec<EdgeRow>> = moments
            .iter()
            .map(|moment| run.edge_rows(letter, &Window::Phase(moment.phase.clone())))
            .collect();
        let is_its = |row: &EdgeRow, call: &Call| row.caller == call.caller && row.callee == call.callee;
        let is_measured = |call: &&Call| rows.iter().flatten().any(|row| is_its(row, call));
        let (measured, silent): (Vec<&Call>, Vec<&Call>) = remote.into_iter().partition(is_measured);
        if !silent.is_empty() {
            let names: Vec<String> =
                silent.iter().map(|call| format!("{} → {}", call.caller, call.callee)).collect();
            self.quiet(&format!("Requests without a figure: {}.", names.join(", ")));
        }
        if measured.is_empty() {
            return;
        }
        let columns = [
            text("phase"),
            number("edge_rps"),
            number("edge_worst_p99"),
            number("edge_errors"),
            number("not_up"),
        ];
        self.terms.insert("edge");
        self.table(&columns);
        for call in measured {
            let indent = "· ".repeat(call.level);
            self.group(&format!("{indent}{} → {}", call.caller, call.callee), columns.len());
            for (moment, rows) in moments.iter().zip(&rows) {
                let Some(row) = rows.iter().find(|row| is_its(row, call)) else { continue };
                let phase =
                    if moment.name == moment.phase { String::new() } else { format!(": {}", moment.phase) };
                let values = [
                    count(row.rate()),
                    value(row.worst_p99_seconds(), "s"),
                    value(row.error_ratio(), "%"),
                    not_up(run, letter, &call.callee, moment),
                ];
                self.row(&escaped(&format!("{}{phase}", moment.name)), &cells(&values));
            }
        }
        self.end_table();
    }
}

fn arm(run: &Run, letter: char) -> Option<&Arm> {
    run.header.arms.iter().find(|arm| arm.letter == letter)
}

/// A call of the tree.
#[derive(Debug, PartialEq)]
struct Call {
    level: usize,
    caller: String,
    callee: String,
    is_local: bool,
}

/// Who calls whom, from the door on; each edge once.
fn tree(arm: &Arm) -> Vec<Call> {
    let edges: Vec<(&str, &str, bool)> = arm
        .local_edges
        .iter()
        .map(|edge| (edge, true))
        .chain(arm.remote_edges.iter().map(|edge| (edge, false)))
        .filter_map(|(edge, is_local)| {
            edge.split_once("->").map(|(caller, callee)| (caller, callee, is_local))
        })
        .collect();
    let called: BTreeSet<&str> = edges.iter().map(|(_, callee, _)| *callee).collect();
    let mut roots: Vec<&str> = edges.iter().map(|(caller, ..)| *caller).collect();
    roots.retain(|caller| *caller == CLIENT || !called.contains(caller));
    roots.dedup();
    let mut calls = Vec::new();
    let mut shown = BTreeSet::new();
    for root in roots {
        below(root, 0, &edges, &mut shown, &mut calls);
    }
    calls
}

fn below<'a>(
    caller: &'a str,
    level: usize,
    edges: &[(&'a str, &'a str, bool)],
    shown: &mut BTreeSet<(&'a str, &'a str)>,
    calls: &mut Vec<Call>,
) {
    for (_, callee, is_local) in edges.iter().filter(|(from, ..)| *from == caller) {
        if level < MAX_LEVELS && shown.insert((caller, callee)) {
            calls.push(Call { level, caller: caller.into(), callee: (*callee).into(), is_local: *is_local });
            below(callee, level + 1, edges, shown, calls);
        }
    }
}

/// Seconds of a moment's phase in which a copy that holds a component was not up.
fn not_up(run: &Run, letter: char, component: &str, moment: &Moment) -> String {
    let seconds = run.seconds_not_up(letter, component, &Window::Phase(moment.phase.clone()));
    seconds.map_or_else(|| NO_DATA.into(), |seconds| format!("{seconds}s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_a_tree_from_the_door_on_and_circles_end() {
        let arm = Arm {
            letter: 'B',
            name: "micro".into(),
            topology: "micro".into(),
            local_edges: vec!["feed->photo".into()],
            remote_edges: ["gateway->feed", "gateway->photo", "photo->feed"].map(Into::into).into(),
            databases: 1,
            config_keys: 1,
            ready_ms: 1,
            ..Arm::default()
        };
        let shown: Vec<String> = tree(&arm)
            .iter()
            .map(|call| format!("{} {}->{} {}", call.level, call.caller, call.callee, call.is_local))
            .collect();
        assert_eq!(
            shown,
            ["0 gateway->feed false", "1 feed->photo true", "2 photo->feed false", "0 gateway->photo false"]
        );
    }
}
