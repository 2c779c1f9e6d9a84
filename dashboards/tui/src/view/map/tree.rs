//! The rows of the map: a heading an arm, its users, its calls as a tree, its boxes.

use model::Second;
use record::{CLIENT, Edge};

use super::super::graph::{self, Branch};
use super::super::table::Row;
use super::text;
use crate::state::State;
use crate::style::Role;
use crate::text::{NO_DATA, count, ms, percent};

/// What a row that can be chosen is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub arm: char,
    /// The calling component; empty for the delivery of events.
    pub caller: String,
    /// What is called.
    pub component: String,
    /// A function call.
    pub local: bool,
}

/// A row: choosable with its node, or words.
type Line = (Row, Option<Node>);

pub(super) fn nodes(state: &State) -> Vec<Node> {
    lines(state).into_iter().filter_map(|(_, node)| node).collect()
}

pub(super) fn rows(state: &State) -> Vec<Row> {
    lines(state).into_iter().map(|(row, _)| row).collect()
}

fn lines(state: &State) -> Vec<Line> {
    let mut lines = Vec::new();
    for letter in state.arms() {
        let Some(arm) = state.run.arm(letter) else { continue };
        let processes = if arm.processes() == 1 { "process" } else { "processes" };
        let head = format!("{letter} {}: {} {processes}", arm.name, arm.processes());
        lines.push((text(head, Role::Strong), None));
        lines.push(users(state, letter));
        let edges: Vec<&Edge> =
            graph::known(state, letter).into_iter().filter(|edge| edge.caller != CLIENT).collect();
        let slowest = model::edges::slowest_p99(edges.iter().copied());
        for branch in graph::tree(&edges) {
            lines.push(edge(state, letter, &branch, slowest));
        }
        lines.extend(boxes(state, arm));
    }
    lines.retain(|(row, node)| node.is_none() || state.map.passes(&row.text()));
    lines
}

/// The users' side: what they offered and saw in the newest closed second.
fn users(state: &State, arm: char) -> Line {
    let second = state.run.newest_closed_at(arm, state.at()).map(|(_, second)| second);
    let share = second.and_then(Second::error_ratio);
    let figure = |of: fn(&Second) -> Option<f64>| second.and_then(of);
    let offered = count(figure(|s| Some(s.offered as f64)));
    let cells = vec![
        (format!(" {CLIENT} {} gateway", state.theme.either("⇒", "=>")), Role::Text),
        (offered.clone(), Role::Text),
        (offered, Role::Text),
        (ms(figure(|s| s.p50().ms)), Role::Text),
        (ms(figure(|s| s.p99().ms)) + " ", Role::Text),
        (percent(share), graph::failing_role(share)),
        (NO_DATA.into(), Role::Dim),
        (NO_DATA.into(), Role::Dim),
        (NO_DATA.into(), Role::Dim),
        held(state, arm, "gateway"),
    ];
    let node = Node { arm, caller: CLIENT.into(), component: "gateway".into(), local: false };
    (Row::Cells(cells), Some(node))
}

fn edge(state: &State, arm: char, branch: &Branch, slowest: Option<f64>) -> Line {
    let theme = &state.theme;
    let edge = branch.edge;
    let share = model::edges::error_ratio(edge);
    let is_slowest = graph::is_slowest(edge, slowest);
    let faults = graph::faults(state, arm, &edge.callee);
    let name = format!("   {} {faults}", graph::name(theme, branch));
    let (breaker, breaker_role) = graph::breaker(edge);
    let some = |rate: f64, role: Role| (count(Some(rate)), if rate > 0.0 { role } else { Role::Dim });
    let cells = vec![
        (name.trim_end().to_owned(), if faults.is_empty() { Role::Text } else { Role::Fault }),
        (count(Some(edge.effective_rps)), Role::Text),
        some(
            edge.actual_rps,
            if edge.actual_rps > edge.effective_rps * 1.2 { Role::Warn } else { Role::Text },
        ),
        (ms(edge.p50_ms), Role::Text),
        (
            format!("{}{}", ms(edge.p99_ms), if is_slowest { "!" } else { " " }),
            if is_slowest { Role::Warn } else { Role::Text },
        ),
        (percent(share), graph::failing_role(share)),
        some(edge.retries_rps, Role::Warn),
        (breaker.to_owned(), breaker_role),
        some(edge.queue as f64, Role::Warn),
        held(state, arm, &edge.callee),
    ];
    let node = Node { arm, caller: edge.caller.clone(), component: edge.callee.clone(), local: false };
    (Row::Cells(cells), Some(node))
}

/// The instances that hold a component: a sign and a process id an instance.
fn held(state: &State, arm: char, component: &str) -> (String, Role) {
    let mut role = Role::Text;
    let mut text = Vec::new();
    for proc in graph::holders(state, arm, component) {
        let (sign, of) = graph::process_sign(&state.theme, proc);
        text.push(format!("{sign}{}", proc.pid));
        if of != Role::Good {
            role = of;
        }
    }
    (text.join(" "), role)
}

/// Processes that hold more than one component: a box each, and in it the calls that never leave it.
fn boxes(state: &State, arm: &record::Arm) -> Vec<Line> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    let mut shown: Vec<&[String]> = Vec::new();
    for instance in &arm.instances {
        // Copies of one process are one box.
        if instance.hosts.len() < 2 || shown.contains(&&instance.hosts[..]) {
            continue;
        }
        shown.push(&instance.hosts);
        let name = instance.process();
        let alike = arm.instances.iter().filter(|other| other.hosts == instance.hosts);
        let copies: u32 = alike.map(|other| other.copies).sum();
        let copies = if copies > 1 { format!(" {}{copies}", theme.either("×", "x")) } else { String::new() };
        let (open, middle, last) = (theme.either("┌", "+"), theme.either("│", "|"), theme.either("└", "+"));
        lines.push((
            text(format!("   {open} {name}{copies}: {}", instance.hosts.join(", ")), Role::Frame),
            None,
        ));
        let inside = |end: &str| instance.hosts.iter().any(|host| host == end);
        let calls: Vec<(&str, &str)> = arm
            .local_edges
            .iter()
            .filter_map(|edge| edge.split_once("->"))
            .filter(|(caller, callee)| inside(caller) && inside(callee))
            .collect();
        let edges: Vec<Edge> = calls
            .iter()
            .map(|(caller, callee)| Edge {
                caller: (*caller).into(),
                callee: (*callee).into(),
                ..Edge::default()
            })
            .collect();
        let edges: Vec<&Edge> = edges.iter().collect();
        for branch in graph::tree(&edges) {
            let name = format!("   {middle} {}", graph::name(theme, &branch));
            let mut cells = vec![(name, Role::Text)];
            cells.resize(9, (NO_DATA.into(), Role::Dim));
            cells.push(held(state, arm.letter, &branch.edge.callee));
            let (caller, component) = (branch.edge.caller.clone(), branch.edge.callee.clone());
            lines.push((Row::Cells(cells), Some(Node { arm: arm.letter, caller, component, local: true })));
        }
        lines.push((text(format!("   {last} function calls: none of them on the wire"), Role::Dim), None));
    }
    lines
}
