//! The services by the calls between them: a tree where there is room, else the worst first.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Widget;
use record::Edge;

use super::{framed, titled};
use crate::figures::{count, left, ms, number, percent, right};
use crate::model::Model;
use crate::style::{Look, Role};

/// From this share of failed tries on an edge counts as failing.
const FAILING: f64 = 0.01;

/// A call from one component to another, `depth` calls below the user.
struct Branch<'a> {
    edge: &'a Edge,
    depth: usize,
    /// Its callee's own calls are shown further up.
    again: bool,
}

/// The arm whose edges are shown: the right one, or where one arm fits the one on the screen.
fn arm(model: &Model) -> Option<char> {
    model.shown().map(|(_, other)| other)
}

/// Calls of a second-old and quiet edge say nothing: those with traffic, or a breaker that is not closed.
fn edges(model: &Model, arm: char) -> Vec<&Edge> {
    model.run.edges(arm, model.at()).filter(|edge| edge.actual_rps > 0.0 || edge.breaker > 0).collect()
}

/// The edges as a tree from the user down; a callee's calls are shown once.
fn tree<'a>(edges: &[&'a Edge]) -> Vec<Branch<'a>> {
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
        // Everyone calls everyone: begin anywhere.
        roots.extend(calls.keys().next());
    }
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

/// Share of an edge's tries that failed.
fn failing(edge: &Edge) -> Option<f64> {
    (edge.actual_rps > 0.0).then(|| edge.errors_rps / edge.actual_rps)
}

fn breaker(edge: &Edge) -> (&'static str, Role) {
    match edge.breaker {
        0 => ("", Role::Dim),
        1 => ("half", Role::Warn),
        _ => ("OPEN", Role::Error),
    }
}

/// A sign per instance that holds a component: up, on its way, down.
fn instances(model: &Model, arm: char, component: &str) -> Vec<Piece<'static>> {
    let look = &model.look;
    let held = model.run.procs(arm, model.at()).filter(|proc| proc.components.iter().any(|c| c == component));
    held.map(|proc| {
        let (sign, ascii, role) = match proc.state.as_str() {
            "up" => ("●", "*", Role::Good),
            "down" => ("○", "o", Role::Error),
            _ => ("◐", "~", Role::Warn),
        };
        Piece::styled(look.either(sign, ascii), look.style(role))
    })
    .collect()
}

/// Numbers of the steps that are hitting a component in an arm right now.
fn faults(model: &Model, arm: char, component: &str) -> String {
    let (Some(header), Some(place)) = (model.run.header.as_deref(), model.run.place(arm, model.at())) else {
        return String::new();
    };
    let now = model.at().saturating_sub(place.start);
    let hits = header.steps.iter().filter(|step| {
        // A moment's fault is named for as long as its phase lasts.
        let phase =
            header.phases.iter().find(|p| (p.start_ns..p.start_ns + p.length_ns).contains(&step.start_ns));
        let end = match (step.length_ns, phase) {
            (0, Some(phase)) => phase.start_ns + phase.length_ns,
            (length, _) => step.start_ns + length,
        };
        let there = !step.not_applicable.contains_key(&arm) && step.hits.iter().any(|hit| hit == component);
        there && (step.start_ns..end).contains(&now)
    });
    hits.map(|step| number(step.number, model.look.ascii)).collect()
}

/// Callee by callee, indented by depth.
pub(super) fn map(model: &Model, area: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let Some(arm) = arm(model) else { return };
    let title = format!("{arm} service map: calls between processes");
    let inner = framed(look, titled(look, &title), area, buffer);
    let edges = edges(model, arm);
    let branches = tree(&edges);
    if branches.is_empty() {
        let text = " no calls between processes in the last seconds";
        super::put(buffer, inner.x, inner.y, text, look.style(Role::Dim));
        return;
    }
    let name = usize::from(inner.width).saturating_sub(36).clamp(12, 34);
    let heads = format!(" {}{}", left("", name, look.ascii), "    rps  p99 ms    err  breaker  up");
    super::put(buffer, inner.x, inner.y, &heads, look.style(Role::Dim));
    let worst = worst_p99(&edges);
    let rows = usize::from(inner.height.saturating_sub(1));
    let shown = if branches.len() > rows { rows.saturating_sub(1) } else { branches.len() };
    for (branch, y) in branches.iter().take(shown).zip(inner.y + 1..) {
        let edge = branch.edge;
        let arrow = look.either("→", ">");
        let again = if branch.again { look.either(" ↩", " ^") } else { "" };
        let text = match branch.depth {
            0 => format!("{} {arrow} {}{again}", edge.caller, edge.callee),
            depth => format!("{}{arrow} {}{again}", "  ".repeat(depth), edge.callee),
        };
        let mut pieces = vec![Piece::raw(format!(" {}", left(&text, name, look.ascii)))];
        pieces.push(Piece::raw(right(&count(Some(edge.actual_rps)), 7)));
        pieces.extend(figures(look, edge, worst));
        let (word, role) = breaker(edge);
        let word = if word.is_empty() { "closed" } else { word };
        pieces.push(Piece::styled(format!("  {}", left(word, 8, look.ascii)), look.style(role)));
        pieces.extend(instances(model, arm, &edge.callee));
        pieces.push(Piece::styled(format!(" {}", faults(model, arm, &edge.callee)), look.style(Role::Fault)));
        Line::from(pieces).render(Rect { y, height: 1, ..inner }, buffer);
    }
    if shown < branches.len() {
        let text = format!(" and {} more", branches.len() - shown);
        super::put(buffer, inner.x, inner.bottom() - 1, &text, look.style(Role::Dim));
    }
}

/// Caller and callee in one line, the failing and slow ones on top.
pub(super) fn worst_first(model: &Model, area: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let Some(arm) = arm(model) else { return };
    let inner = framed(look, titled(look, &format!("{arm} edges, worst first")), area, buffer);
    let mut edges = edges(model, arm);
    // Open breakers, then failing, then slow.
    edges.sort_by(|a, b| {
        let failing = |edge: &Edge| failing(edge).unwrap_or(0.0);
        (b.breaker.cmp(&a.breaker))
            .then_with(|| failing(b).total_cmp(&failing(a)))
            .then_with(|| b.p99_ms.unwrap_or(0.0).total_cmp(&a.p99_ms.unwrap_or(0.0)))
    });
    if edges.is_empty() {
        super::put(buffer, inner.x, inner.y, " no calls in the last seconds", look.style(Role::Dim));
    }
    let worst = worst_p99(&edges);
    let name = usize::from(inner.width).saturating_sub(23).max(8);
    for (edge, y) in edges.iter().zip(inner.top()..inner.bottom()) {
        let caller = if edge.caller == "gateway" { "gw" } else { &edge.caller };
        let text = format!("{caller}{}{}", look.either("→", ">"), edge.callee);
        let mut pieces = vec![Piece::raw(format!(" {}", left(&text, name, look.ascii)))];
        pieces.extend(figures(look, edge, worst));
        let (word, role) = breaker(edge);
        pieces.push(Piece::raw(" "));
        pieces.push(Piece::styled(word, look.style(role)));
        pieces.extend(instances(model, arm, &edge.callee));
        pieces.push(Piece::styled(faults(model, arm, &edge.callee), look.style(Role::Fault)));
        Line::from(pieces).render(Rect { y, height: 1, ..inner }, buffer);
    }
}

/// The slowest edge below the user's own: the one to look at.
fn worst_p99(edges: &[&Edge]) -> Option<f64> {
    edges.iter().filter(|edge| edge.caller != "client").filter_map(|edge| edge.p99_ms).reduce(f64::max)
}

/// p99 with `!` on the slowest, share of failed tries.
fn figures(look: &Look, edge: &Edge, worst: Option<f64>) -> [Piece<'static>; 2] {
    let slowest = edge.caller != "client" && edge.p99_ms.is_some() && edge.p99_ms == worst;
    let p99 = format!("{}{}", ms(edge.p99_ms), if slowest { "!" } else { " " });
    let share = failing(edge);
    let role = match share {
        Some(share) if share >= FAILING => Role::Error,
        Some(share) if share > 0.0 => Role::Warn,
        Some(_) => Role::Text,
        None => Role::Dim,
    };
    let p99_role = if slowest { Role::Warn } else { Role::Text };
    [
        Piece::styled(right(&p99, 8), look.style(p99_role)),
        Piece::styled(right(&percent(share), 7), look.style(role)),
    ]
}
