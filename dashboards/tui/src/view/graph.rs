//! The calls between components as a tree, with the signs that every view of it shares.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::text::Span as Piece;
use record::{Edge, Proc};

use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::number;

/// From this share of failed tries on an edge counts as failing.
const FAILING: f64 = 0.01;

/// A call from one component to another, `depth` calls below the user.
#[derive(Clone, Debug)]
pub(super) struct Branch<'a> {
    pub edge: &'a Edge,
    pub depth: usize,
    /// Its callee's own calls are shown further up.
    pub again: bool,
}

/// Edges worth a row: those with traffic, or a breaker that is not closed.
pub(super) fn busy(state: &State, arm: char) -> Vec<&Edge> {
    state
        .detail()
        .edges_at(arm, state.at())
        .filter(|edge| edge.actual_rps > 0.0 || edge.breaker > 0)
        .collect()
}

/// The same, and those that were quiet: a map that changes its shape every second cannot be read.
pub(super) fn known(state: &State, arm: char) -> Vec<&Edge> {
    let of_requests = |edge: &&Edge| !edge.caller.is_empty() || edge.actual_rps > 0.0;
    state.detail().edges_at(arm, state.at()).filter(of_requests).collect()
}

/// Calls without a caller come from no request: consumers of events, for one.
pub(super) fn caller(edge: &Edge) -> &str {
    if edge.caller.is_empty() { "(events)" } else { &edge.caller }
}

/// The edges as a tree from the user down; a callee's calls are shown once.
pub(super) fn tree<'a>(edges: &[&'a Edge]) -> Vec<Branch<'a>> {
    let mut calls: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
    for edge in edges {
        calls.entry(&edge.caller).or_default().push(edge);
    }
    for of in calls.values_mut() {
        of.sort_by(|a, b| b.actual_rps.total_cmp(&a.actual_rps).then_with(|| a.callee.cmp(&b.callee)));
    }
    let called: BTreeSet<&str> = edges.iter().map(|edge| edge.callee.as_str()).collect();
    let mut roots: Vec<&str> = calls.keys().copied().filter(|caller| !called.contains(caller)).collect();
    if roots.is_empty() {
        // Every component is called: begin anywhere.
        roots.extend(calls.keys().next());
    }
    // What no request caused comes last.
    roots.sort_by_key(|root| root.is_empty());
    let mut shown = BTreeSet::new();
    let mut branches = Vec::new();
    for root in roots {
        grow(root, 0, &calls, &mut shown, &mut branches);
    }
    branches
}

fn grow<'a>(
    caller: &'a str,
    depth: usize,
    calls: &BTreeMap<&str, Vec<&'a Edge>>,
    shown: &mut BTreeSet<&'a str>,
    branches: &mut Vec<Branch<'a>>,
) {
    if !shown.insert(caller) {
        return;
    }
    for edge in calls.get(caller).into_iter().flatten() {
        let again = shown.contains(edge.callee.as_str()) && calls.contains_key(edge.callee.as_str());
        branches.push(Branch { edge, depth, again });
        grow(&edge.callee, depth + 1, calls, shown, branches);
    }
}

/// A branch's name: indented, its caller named at the top only, `↩` where its own calls stand further up.
pub(super) fn name(theme: &Theme, branch: &Branch) -> String {
    let arrow = theme.either("→", ">");
    let again = if branch.again { theme.either(" ↩", " ^") } else { "" };
    match branch.depth {
        0 => format!("{} {arrow} {}{again}", caller(branch.edge), branch.edge.callee),
        depth => format!("{}{arrow} {}{again}", "  ".repeat(depth), branch.edge.callee),
    }
}

/// How bad that is.
pub(super) fn failing_role(share: Option<f64>) -> Role {
    match share {
        Some(share) if share >= FAILING => Role::Error,
        Some(share) if share > 0.0 => Role::Warn,
        Some(_) => Role::Text,
        None => Role::Dim,
    }
}

/// A breaker's state in a word.
pub(super) const fn breaker(edge: &Edge) -> (&'static str, Role) {
    match edge.breaker {
        0 => ("closed", Role::Dim),
        1 => ("half", Role::Warn),
        _ => ("OPEN", Role::Error),
    }
}

/// A process's state as a sign: up, starting or paused, down.
pub(super) fn process_sign(theme: &Theme, proc: &Proc) -> (&'static str, Role) {
    let (sign, ascii, role) = match proc.state.as_str() {
        "up" => ("●", "*", Role::Good),
        "down" => ("○", "o", Role::Error),
        _ => ("◐", "~", Role::Warn),
    };
    (theme.either(sign, ascii), role)
}

/// The processes that hold a component.
pub(super) fn holders<'a>(state: &'a State, arm: char, component: &'a str) -> impl Iterator<Item = &'a Proc> {
    state
        .detail()
        .processes_at(arm, state.at())
        .filter(move |proc| proc.components.iter().any(|c| c == component))
}

/// A sign per instance that holds a component.
pub(super) fn instances(state: &State, arm: char, component: &str) -> Vec<Piece<'static>> {
    let theme = &state.theme;
    let piece = |proc| {
        let (sign, role) = process_sign(theme, proc);
        Piece::styled(sign, theme.style(role))
    };
    holders(state, arm, component).map(piece).collect()
}

/// Numbers of the steps that are hitting a component in an arm right now.
pub(super) fn faults(state: &State, arm: char, component: &str) -> String {
    let steps = state.run.steps_hitting_at(arm, component, state.at());
    steps.map(|step| number(step.number, state.theme.ascii)).collect()
}

/// Whether an edge has the p99 of the slowest one.
pub(super) fn is_slowest(edge: &Edge, slowest: Option<f64>) -> bool {
    edge.caller != record::CLIENT && edge.p99_ms.is_some() && edge.p99_ms == slowest
}
